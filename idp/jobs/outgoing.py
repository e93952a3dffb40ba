"""Rows that wait to be sent: claimed before each try, so that two processes never send one, and a crash loses none.

A table of such rows has `id`, `state` (`waiting` until it is decided), `due_at` and `attempts`. A claim is one
conditional write that also says when somebody else may take the row over: that instant must lie beyond the longest
time that a try can take.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHANCES = 1000


def due(connection: Any, table: Any, *which: Any, now: int, limit: int) -> list[Any]:
    """Rows that are due, the longest waiting first."""
    found = select(table).where(*which, table.state == "waiting", table.due_at <= now)
    rows = connection.execute(found.order_by(table.due_at, table.created_at, table.id).limit(limit))
    return list(rows.scalars())


def claim(connection: Any, table: Any, row: Any, *, until: int) -> bool:
    """Take a row, as it was read, for one try; False when somebody else has it, or it is decided."""
    claimed = connection.execute(
        update(table)
        .where(
            table.id == row.id,
            table.state == "waiting",
            table.attempts == row.attempts,
            table.due_at == row.due_at,
        )
        .values(attempts=table.attempts + 1, due_at=until)
        .returning(table.id),
        execution_options={"synchronize_session": False},
    )
    return claimed.first() is not None


def settle(connection: Any, table: Any, row_id: str, *, claims: int, values: Mapping[str, Any]) -> bool:
    """Write down what became of a row that was claimed so many times; False when somebody else took it over."""
    settled = connection.execute(
        update(table)
        .where(table.id == row_id, table.state == "waiting", table.attempts == claims)
        .values(**values),
        execution_options={"synchronize_session": False},
    )
    return bool(settled.rowcount == 1)


def change(
    connection: Any, table: Any, row_id: str | None, *which: Any, values: Mapping[str, Any]
) -> list[str]:
    """What an operator decides about one row, or all that fit; the ids of those."""
    named = which if row_id is None else (*which, table.id == row_id)
    changed = connection.execute(
        update(table).where(*named).values(**values).returning(table.id),
        execution_options={"synchronize_session": False},
    )
    return list(changed.scalars())


def chance() -> float:
    """A random part, from 0 to 1, by which pauses are stretched."""
    return secrets.randbelow(_CHANCES) / _CHANCES
