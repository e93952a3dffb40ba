"""What a town asks of its database, whichever way a statement goes there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from idp.statements import Statement
from tests.support.riverton import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from idp.db import Database


def is_one_waiting(database: Database) -> bool:
    """Whether a statement of this PostgreSQL database waits for what another transaction holds."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with database.reading() as session:
        return bool(session.execute(text(waits)).scalar_one())


def side_by_side(
    database: Database, first: Callable[[], Any], second: Callable[[], Any], *, meets_at: tuple[Any, str]
) -> tuple[Any, Any]:
    """What both give, where the second begins while the first is right after a call of the function `meets_at` names.

    The first goes on when the second waits for what it holds, or is through.
    """
    owner, name = meets_at
    real, is_there, may_go_on = getattr(owner, name), Event(), Event()

    def meeting(*values: Any, **named: Any) -> Any:
        found = real(*values, **named)
        if not is_there.is_set():
            is_there.set()
            assert may_go_on.wait(20)
        return found

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(owner, name, meeting)
        one = pool.submit(first)
        assert is_there.wait(20), one.result(20)
        other = pool.submit(second)
        until(lambda: other.done() or is_one_waiting(database), "the second waits, or is through")
        may_go_on.set()
        return one.result(20), other.result(20)


@contextmanager
def noted(database: Database) -> Iterator[list[str]]:
    """The texts of all statements in this block, in the order in which they were run."""
    found: list[str] = []
    with run_on(database, lambda statement, _values: found.append(" ".join(statement.split()))):
        yield found


@contextmanager
def run_on(database: Database, tell: Callable[[str, Any], object]) -> Iterator[None]:
    """Each statement of this block, whichever way it goes, with its values as the driver takes them, before it is run."""

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        tell(statement, values)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        with built_once(lambda known, values: tell(known.sql, values)):
            yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def built_once(tell: Callable[[Statement, Any], object]) -> Iterator[None]:
    """Whatever is built once tells itself and its values, in this block, before it is run."""
    values_of = Statement.values

    def telling(self: Statement, parameters: Any) -> Any:
        values = values_of(self, parameters)
        tell(self, values)
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Statement, "values", telling)
        yield
