"""The job that gives the entries of the log their place."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from consent import log
from consent.log.entries import INSERT_ENTRY
from idp import upkeep
from idp.upkeep import integrate_log
from tests.consent.town import filler

if TYPE_CHECKING:
    from tests.support.town import Town

_NUMBERS = count(1)


def record(session: Any, entries: int) -> None:
    session.execute(INSERT_ENTRY, filler(next(_NUMBERS) * 100, entries))


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch, town: Town) -> list[int]:
    """How many entries each transaction integrated; meanwhile another one comes each time."""
    integrate_log(town.context, now=int(town.clock()))
    done: list[int] = []
    really = log.integrate

    def integrate(session: Any, *arguments: Any, **options: Any) -> Any:
        integrated = really(session, *arguments, **options)
        done.append(integrated.entries if integrated else 0)
        if len(done) < 9:
            record(session, 1)
        return integrated

    monkeypatch.setattr(log, "integrate", integrate)
    monkeypatch.setattr(upkeep, "_BATCH", 4)
    monkeypatch.setattr(upkeep, "_SQLITE_BATCH", 4)
    return done


def test_all_that_waits_gets_its_place_batch_by_batch(town: Town, batches: list[int]) -> None:
    """And what comes meanwhile waits for the next time: else a busy town would integrate entry by entry without end."""
    with town.context.database.transaction() as session:
        record(session, 9)
    integrate_log(town.context, now=int(town.clock()))
    assert batches == [4, 4, 3]
    integrate_log(town.context, now=int(town.clock()))
    assert batches == [4, 4, 3, 1]
