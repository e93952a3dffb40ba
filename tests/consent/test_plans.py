"""A large log is verified in batches, and the last costs what the first did: the plan of PostgreSQL says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from consent.log.sources import SOURCES, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


def bounds(plan: dict[str, Any]) -> Iterator[str]:
    yield plan.get("Index Cond", "")
    for below in plan.get("Plans", ()):
        yield from bounds(below)


@pytest.mark.parametrize("connection", ["postgresql"], indirect=True)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.table.name}-{source.uid}")
def test_a_batch_begins_in_both_indexes_where_the_last_one_ended(
    connection: Connection, source: Source
) -> None:
    """Where the two are merged, a bound on one alone would read the other from its beginning, for every batch."""
    for other in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_nestloop", "enable_sort"):
        connection.execute(text(f"SET LOCAL {other} = off"))
    compiled = source.rows.compile(dialect=connection.dialect)
    values = {"after": b"\x00", "limit": 2000}
    asked = {name: values.get(name, value) for name, value in compiled.params.items()}
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", asked).scalar_one()
    begun = [bound for bound in bounds(plan[0]["Plan"]) if "uid > " in bound]
    assert len(begun) == 2, plan
