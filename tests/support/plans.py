"""What a database means to do for a statement (performance.md: no query without an index)."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.statements import run_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.db import Database

#: What so many rows have in common that to find them by it alone is to read the table.
SHARED = {"kind", "state", "channel", "event"}
#: Tables that are read as a whole, for a town has few of such rows: services, what they may know and why, keys; and what a
#: statement has made itself, such as the line of one session.
SMALL = (
    "clients_",
    "consent_purpose",
    "consent_notice",
    "consent_draft",
    "keys_",
    "jobs_",
    "alembic_",
    "anon_",
    "line",
)
#: A text as the driver gets it, and the values that go with it.
Statements = dict[str, Any]


@contextmanager
def statements_of(database: Database) -> Iterator[Statements]:
    """Every statement of this block, with the last values it had."""
    found: Statements = {}
    with run_on(database, found.__setitem__):
        yield found


def read_as_a_whole(database: Database, statement: str, values: Any) -> list[str]:
    """The tables that grow with the town of which a statement reads all rows, or a whole index.

    The first few rows of an index are not the whole of it.
    """
    takes_few = " LIMIT " in statement
    return [
        step
        for step in _walked_without_key(database, statement, values)
        if not any(f" {name}" in step for name in SMALL)
        and not (takes_few and "INDEX" in step.upper() and not is_by_what_is_shared(step))
    ]


def _walked_without_key(database: Database, statement: str, values: Any) -> list[str]:
    """The steps of a plan that are not gone into by a value."""
    driver = database.fast._driver
    if database.is_sqlite:
        # Twice: it looks at the values when it is asked again, as it does for what is run often.
        for _ in range(2):
            rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        steps = [row[3] for row in rows if re.match(r"(SCAN|SEARCH) (?!CONSTANT|[(])", row[3])]
        return [step for step in steps if step.startswith("SCAN") or is_by_what_is_shared(step)]
    (row,) = driver.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchall()
    plans: Any = row[0] if isinstance(row[0], list) else json.loads(row[0])
    steps = [
        (
            f"{node['Node Type']} of {node['Relation Name']}",
            node.get("Index Cond", node.get("Recheck Cond", "")),
        )
        for node in _nodes(plans[0]["Plan"])
        if "Relation Name" in node and node["Node Type"] != "ModifyTable"
    ]
    return [f"{step} {found}".strip() for step, found in steps if not found or is_by_what_is_shared(found)]


def is_by_what_is_shared(step: str) -> bool:
    """Whether a step of a plan finds its rows by nothing but a word that many have."""
    compared = set(re.findall(r"[( ](\w+)(?:\)::\w+)? *[=<>]", step))
    return bool(compared) and compared <= SHARED


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
