"""What a database means to do for the endpoints that partners call all day (performance.md: no query without an index)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.settled import SCOPE
from tests.support.statements import built_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.statements import Statement
    from tests.support.town import Town


@pytest.fixture
def told() -> Iterator[dict[str, tuple[Statement, Any]]]:
    """Every statement that goes the fast way, with the last values it had."""
    found: dict[str, tuple[Statement, Any]] = {}
    with built_once(lambda known, values: found.update({known.sql: (known, values)})):
        yield found


def use_everything(town: Town) -> None:
    tokens = town.tokens(town.library, town.maria, SCOPE)
    town.refresh(town.library, tokens["refresh_token"])
    town.userinfo(tokens["access_token"])
    town.call("/introspect", town.library, {"token": tokens["access_token"]})
    town.call("/revoke", town.library, {"token": tokens["refresh_token"]})


def walked_without_key(town: Town, known: Statement, values: Any) -> list[str]:
    """The tables of a statement that are not gone into by a value: read from end to end, or along a whole index."""
    fast = town.context.database.fast
    if town.context.database.is_sqlite:
        rows = fast._driver.execute(f"EXPLAIN QUERY PLAN {known.sql}", values).fetchall()
        return [row[3] for row in rows if row[3].startswith("SCAN") and "CONSTANT" not in row[3]]
    (row,) = fast._driver.execute(f"EXPLAIN (FORMAT JSON) {known.sql}", values).fetchall()
    plans: Any = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return [
        f"{node['Node Type']} of {node['Relation Name']}"
        for node in nodes(plans[0]["Plan"])
        if "Relation Name" in node
        and node["Node Type"] != "ModifyTable"
        and not {"Index Cond", "Recheck Cond"} & node.keys()
    ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def test_what_asks_several_tables_begins_with_what_is_looked_for(
    town: Town, told: dict[str, tuple[Statement, Any]]
) -> None:
    """Also when it is planned while tables are empty, as after a start: servers keep a plan for a while.

    A plan that begins with another table costs more with every resident.
    """
    use_everything(town)
    joined = [(known, values) for sql, (known, values) in told.items() if " JOIN " in sql or "(SELECT" in sql]
    assert len(joined) >= 6, "statements about several tables have gone another way"
    for known, values in joined:
        assert walked_without_key(town, known, values) == [], known.sql
