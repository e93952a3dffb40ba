"""A log that was written before rows had today's columns still verifies, and nothing can pass for such a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from consent import log
from consent.facts import Asked, Party, Processing
from consent.log.entries import CAME_LATER
from consent.log.sources import SOURCES
from consent.models import Base
from tests.consent.town import SERVICE_KEY, Attacker, Town, words

if TYPE_CHECKING:
    from sqlalchemy import Connection

BEFORE = {
    "consent_purpose": "id client_id key basis required_claims optional_claims minimum_level created_at retention_for subject_sector",
    "consent_notice": "purpose_id version language material title why retention_text recipients body_hash published_at",
    "consent_record": "resident_id client_id purpose_id event claims_offered claims_chosen notice_hash language control authentication actor at",
}


def _commit_as_before(connection: Connection, table: str, columns: str, key: bytes) -> None:
    """Put the commitment of the newest row as the software of before would have made it."""
    row = connection.execute(text(f"SELECT * FROM {table} ORDER BY uid DESC LIMIT 1")).mappings().one()
    values = dict(row)
    if table == "consent_notice":
        values["material"] = bool(values["material"])
    said = {
        name: values[name].hex() if isinstance(values[name], bytes) else values[name]
        for name in columns.split()
    }
    found = log.commitment(key, table, bytes(values["uid"]), said)
    connection.execute(
        text("UPDATE consent_log_entry SET commitment = :c WHERE uid = :u"), {"c": found, "u": values["uid"]}
    )


def test_rows_of_before_verify_as_they_were_committed_to(town: Town) -> None:
    """Decision 0027: columns that came later count only where something stands in them.

    Every entry is given the commitment over the columns that there were, byte for byte as it was made then.
    """
    from tests.consent.town import key_of

    Attacker(town.connection)  # the guards would keep us from going back
    purpose_id = town.purpose()
    _commit_as_before(town.connection, "consent_purpose", BEFORE["consent_purpose"], SERVICE_KEY)
    _commit_as_before(town.connection, "consent_notice", BEFORE["consent_notice"], SERVICE_KEY)
    town.event(purpose_id)
    _commit_as_before(town.connection, "consent_record", BEFORE["consent_record"], key_of("r1"))
    assert town.integrate()
    assert town.verify() == []


def test_what_came_later_is_committed_to(town: Town) -> None:
    """All columns of today but the serial number and the name, and those that came later are really there."""
    for source in SOURCES[:1] + SOURCES[2:4]:
        assert set(BEFORE[source.table.name].split()) < set(source.columns)
    columns = {
        column.name for source in SOURCES for column in Base.metadata.tables[source.table.name].columns
    }
    assert columns >= CAME_LATER
    nullable = {
        column.name
        for source in SOURCES
        for column in Base.metadata.tables[source.table.name].columns
        if column.nullable
    }
    assert nullable >= CAME_LATER


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("consent_record", "valid_until = NULL"),
        ("consent_record", "valid_until = valid_until + 1"),
        ("consent_notice", "terms = NULL"),
        ("consent_notice", "processing = NULL"),
        ("consent_notice", "processing = '{}'"),
        ("consent_purpose", "valid_for = NULL"),
        ("consent_purpose", "purpose_type = 'tax'"),
    ],
)
def test_taking_a_later_column_away_or_putting_one_in_is_found(town: Town, table: str, change: str) -> None:
    """A row can't be made to look older than it is, nor an old one be given what it did not say."""
    from consent import purposes

    purpose_id = purposes.declare_purpose(
        town.connection,
        log_key=SERVICE_KEY,
        client_id="reports",
        key="k",
        basis="consent",
        required_claims=["district"],
        valid_for=100,
        now=town.now,
    )
    purposes.publish_notice(
        town.connection,
        log_key=SERVICE_KEY,
        purpose_id=purpose_id,
        texts={"en": words()},
        material=True,
        processing=Processing((Party("Roads"),)),
        asked=Asked(("district",), (), None, 100),
        now=town.now,
    )
    town.event(purpose_id, valid_until=town.now + 100)
    assert town.integrate()
    assert town.verify() == []
    Attacker(town.connection).run(f"UPDATE {table} SET {change}")
    assert [(one.what, one.table) for one in town.verify()] == [("edited", table)]


def test_an_old_row_that_is_given_an_end_is_found(town: Town) -> None:
    purpose_id = town.purpose()
    town.event(purpose_id)
    assert town.integrate()
    Attacker(town.connection).run("UPDATE consent_record SET valid_until = 1")
    assert [one.what for one in town.verify()] == ["edited"]
