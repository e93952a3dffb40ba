"""What ended long ago is cleared away, however much of it there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp import upkeep
from idp.login.budgets.models import Budget
from idp.upkeep import KEEP_ENDED_FOR, purge

if TYPE_CHECKING:
    from tests.support.town import Town


@pytest.mark.parametrize("old", [5, 6])
def test_more_than_one_batch_is_cleared_away_and_what_is_young_stays(
    town: Town, monkeypatch: pytest.MonkeyPatch, old: int
) -> None:
    """Also where the last batch is a full one."""
    monkeypatch.setattr(upkeep, "_BATCH", 3)
    monkeypatch.setattr(upkeep, "_SQLITE_BATCH", 3)
    now = int(town.clock())
    with town.context.database.transaction() as session:
        for number in range(old):
            session.add(Budget(bucket=f"old {number}", window_at=now - KEEP_ENDED_FOR - 1, used=1))
        session.add(Budget(bucket="young", window_at=now - KEEP_ENDED_FOR, used=1))
    purge(town.context, now=now)
    assert [row.bucket for row in town.rows(Budget)] == ["young"]


def test_clearing_away_keeps_no_other_job_waiting(town: Town) -> None:
    """It may take long after a busy week, and others are due each second."""
    jobs = upkeep.jobs(town.context)
    (own,) = (job.lane for job in jobs if job.name == "purge")
    assert {job.name for job in jobs if job.lane == own} == {"purge", "over"}
