"""Stamps: what processes keep in memory is read again within a second of its change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from idp.jobs import stamps
from idp.jobs.models import Stamp
from idp.jobs.stamps import FRESH_FOR, Cached, bump

if TYPE_CHECKING:
    from tests.support.town import Town


@pytest.fixture
def elapsed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, in seconds, moved by the test."""
    found = [1000.0]
    monkeypatch.setattr(stamps.time, "monotonic", lambda: found[0])
    return found


def change(town: Town, name: str = "things") -> None:
    with town.context.database.transaction() as session:
        bump(session, name)


def change_and_fail(town: Town) -> None:
    with town.context.database.transaction() as session:
        bump(session, "things")
        raise RuntimeError


def version(town: Town, name: str = "things") -> int:
    return next((row.version for row in town.rows(Stamp) if row.name == name), 0)


def test_a_change_counts_up_with_its_transaction(town: Town) -> None:
    """What is rolled back is no news."""
    for expected in (1, 2, 3):
        change(town)
        assert version(town) == expected
    with pytest.raises(RuntimeError):
        change_and_fail(town)
    assert version(town) == 3


def test_first_changes_at_once_all_count(town: Town) -> None:
    """The very first change of two processes makes neither of them fail."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: change(town), range(12)))
    assert version(town) == 12


def test_a_value_is_read_once_and_again_after_a_change(town: Town, elapsed: list[float]) -> None:
    """At most one look into the database a second; a change is seen within that second."""
    loads: list[int] = []

    def load(_session: Any) -> int:
        loads.append(len(loads))
        return loads[-1]

    cached = Cached(town.context.database, "things", load)
    assert [cached.get(), cached.get()] == [0, 0]
    elapsed[0] += FRESH_FOR
    assert cached.get() == 0
    assert loads == [0], "read again without a change"
    change(town)
    assert cached.get() == 0
    elapsed[0] += FRESH_FOR
    assert cached.get() == 1
    change(town)
    cached.forget()
    assert cached.get() == 2


def test_a_load_that_fails_keeps_nothing_wrong(town: Town, elapsed: list[float]) -> None:
    """The next use tries again instead of serving half of something."""
    answers: list[Any] = [RuntimeError("no"), "value"]

    def load(_session: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cached = Cached(town.context.database, "things", load)
    with pytest.raises(RuntimeError):
        cached.get()
    assert cached.get() == "value"
