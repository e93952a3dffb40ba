"""History can't be rewritten by any statement of ours, and what can't be logged does not happen (case K38)."""

import itertools

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from consent import acts, lookups, models, records
from consent.triggers import APPEND_ONLY
from tests.consent.town import NOW, SERVICE_KEY, Attacker, Town, key_of


@pytest.mark.parametrize(
    ("connection", "change"),
    [
        *itertools.product(["sqlite", "postgresql"], ["UPDATE {} SET {} = 0", "DELETE FROM {}"]),
        ("postgresql", "TRUNCATE {} CASCADE"),
    ],
    indirect=["connection"],
)
def test_the_database_refuses_to_rewrite_history(lived_in: Town, change: str) -> None:
    """By API nothing can be edited or deleted: no statement of ours can, the database refuses it."""
    acts.record(lived_in.connection, log_key=SERVICE_KEY, kind="key_created", actor=acts.TOWN, now=NOW)
    for model, row in (
        (models.LogNode, {"level": 1, "node_index": 0, "node_hash": bytes(32)}),
        (models.LogCosignature, {"tree_size": 1, "name": "w", "line": "l", "at": NOW}),
    ):
        lived_in.connection.execute(insert(model), row)
    columns = {
        "consent_notice": "published_at",
        "consent_log_leaf": "entry_id",
        "consent_log_node": "node_index",
    }
    for table in APPEND_ONLY:
        statement = text(change.format(table, columns.get(table, "at")))
        with (
            pytest.raises(IntegrityError, match=f"{table} is append-only"),
            lived_in.connection.begin_nested(),
        ):
            lived_in.connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE consent_purpose SET basis = 'contract' WHERE ended_at IS NULL",
        "UPDATE consent_purpose SET ended_at = NULL, ended_uid = NULL WHERE key = 'tax'",
        "DELETE FROM consent_purpose",
    ],
)
def test_a_purpose_can_only_be_ended_and_only_once(lived_in: Town, change: str) -> None:
    with pytest.raises(IntegrityError, match="consent_purpose is append-only"):
        lived_in.connection.execute(text(change))


def test_triggers_go_as_they_came(lived_in: Town, attacker: Attacker) -> None:
    """The downgrade of the migration leaves nothing behind."""
    assert attacker
    if lived_in.connection.dialect.name == "sqlite":
        left = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
    else:
        left = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'consent%'"
    assert lived_in.connection.execute(text(left)).scalar_one() == 0


def test_a_refused_log_write_refuses_the_action(lived_in: Town) -> None:
    """ASVS 16.5.3: what can't be logged does not happen, for every way of writing."""
    connection, purpose_id = lived_in.connection, lived_in.purpose(key="more")
    tables = (models.Record, models.Release, models.Lookup, models.Notice, models.Purpose)
    before = [_count(connection, one.__tablename__) for one in tables]
    actions = (
        lambda: lived_in.event(purpose_id),
        lived_in.release,
        lambda: lived_in.publish(purpose_id, material=True),
        lambda: lived_in.purpose(key="again"),
        lambda: lookups.record(
            connection,
            log_key=key_of("r1"),
            staff_id="c",
            staff_role="clerk",
            resident_id="r1",
            reason="x",
            now=NOW,
        ),
        lambda: records.withdraw(
            connection,
            log_key=key_of("r1"),
            resident_id="r1",
            client_id="reports",
            control="withdraw-button",
            language="en",
            authentication={},
            now=NOW,
        ),
    )
    connection.execute(text("ALTER TABLE consent_log_entry RENAME TO gone"))
    for action in actions:
        with pytest.raises(DBAPIError), connection.begin_nested():
            action()
    assert [_count(connection, one.__tablename__) for one in tables] == before


def _count(connection: Connection, table: str) -> int:
    return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
