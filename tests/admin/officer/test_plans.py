"""The search reads no whole table, whatever is asked: the plans of both engines say so."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from consent.audit import search
from consent.audit.search import NEWEST, Position, Query
from tests.support.town import START

if TYPE_CHECKING:
    from tests.admin.office import Office

MANY = 4000
NOTICE = bytes(32)
QUERIES = {
    "everything": Query(),
    "client": Query(client_id="library"),
    "purpose": Query(purpose_id="p"),
    "notice": Query(notice_hash=NOTICE),
    "event": Query(event="withdrawn"),
    "client and event": Query(client_id="library", event="given"),
    "client and purpose": Query(client_id="library", purpose_id="p"),
    "period": Query(since=START, until=START + 86_400),
    "client in a period": Query(client_id="library", since=START, until=START + 86_400),
    "person": Query(resident_id="r1"),
    "person and event": Query(resident_id="r1", event="given"),
}


def fill(office: Office) -> None:
    """Enough records that a planner would rather not read them all, and figures for it to know that."""
    town = office.town
    town.tokens(town.library, town.maria)
    columns = (
        "purpose_id, claims_offered, claims_chosen, notice_hash, language, control, authentication, actor"
    )
    with town.context.database.transaction() as session:
        rows = [
            {
                "uid": secrets.token_bytes(16),
                "who": f"r{number % 500}",
                "client": ("library", "tax", "streets", f"c{number % 50}")[number % 4],
                "event": ("given", "refused", "withdrawn", "renewed")[number // 4 % 4],
                "at": START + number * 60,
            }
            for number in range(MANY)
        ]
        session.execute(
            text(
                f"INSERT INTO consent_record (uid, resident_id, client_id, event, at, {columns}) "
                f"SELECT :uid, :who, :client, :event, :at, {columns} FROM consent_record ORDER BY id LIMIT 1"
            ),
            rows,
        )
        session.execute(text("ANALYZE"))


def plan(session: Any, statement: Any) -> str:
    """What the engine means to do."""
    dialect = session.get_bind().dialect
    compiled = statement.compile(dialect=dialect)
    values: Any = compiled.params
    if compiled.positional:
        values = [values[name] for name in compiled.positiontup]
    word = "EXPLAIN QUERY PLAN" if dialect.name == "sqlite" else "EXPLAIN"
    driver = session.connection().connection.cursor()
    driver.execute(f"{word} {compiled}", values)
    return "\n".join(" ".join(map(str, row)) for row in driver.fetchall())


def reads_a_whole_table(said: str) -> bool:
    """Whether a plan walks over consent_record from end to end, or sorts what it found of it on the way."""
    return "SCAN consent_record\n" in f"{said}\n" or "Seq Scan on consent_record" in said


@pytest.mark.parametrize(
    "before", [NEWEST, Position(START + MANY * 30, 77)], ids=["first page", "later page"]
)
def test_no_search_reads_the_whole_table(office: Office, before: Position) -> None:
    """consent.md: p95 within a second at ten million rows is a matter of plans."""
    fill(office)
    with office.town.context.database.reading() as session:
        for name, query in QUERIES.items():
            said = plan(session, search.statement(query, before, 51))
            assert not reads_a_whole_table(said), (name, said)
            assert "consent_record" in said, (name, said)


def test_the_check_would_notice_a_whole_table(office: Office) -> None:
    """What the test above looks for is what both engines say."""
    from consent import models

    fill(office)
    core = models.table(models.Record)
    with office.town.context.database.reading() as session:
        said = plan(session, core.select().where(core.c.control == "x"))
    assert reads_a_whole_table(said), said
