"""What ended long ago is cleared away, however much of it there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp import upkeep
from idp.clients.metadata import Details, NewClient
from idp.login.budgets.models import Budget
from idp.login.models import BrowserSession
from idp.oidc.models import Authorization
from idp.oidc.wiring import provider
from idp.signals.endings import follow_up
from idp.upkeep import KEEP_ENDED_FOR, end_expired_sign_ins, purge
from tests.support.town import Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Town

DAY = 86_400


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


def test_what_was_used_in_a_session_is_known_as_long_as_it_goes_on(
    database_url: str, tmp_path: Path, founding: Founding
) -> None:
    """Weeks later, and after another sign-in in the same browser: the resident sees it, and the partner is told of the end."""
    lasts = {"idle_for": 40 * DAY, "absolute_for": 40 * DAY}
    town = make_town(database_url, tmp_path, founding=founding, sessions=lasts)
    details = Details(backchannel_logout_uri="https://pool.example/out")
    pool = town.add_client(
        NewClient("Pool", ("https://pool.example/cb",), client_id="pool", details=details),
        basis="public_task",
        required=("name",),
    )
    town.fresh()
    browser = town.browser()
    browser.code(pool, town.maria, "openid profile", Proof())
    for _ in range(2):
        town.clock.advance(30 * DAY)
        end_expired_sign_ins(town.context, now=int(town.clock()))
        browser.get("/login?again=1")
        browser.submit("/login", username=town.maria.username, password=town.maria.password)
        purge(town.context, now=int(town.clock()))
    assert "Pool" in browser.get("/account/devices").text
    browser.get("/logout")
    browser.submit("/logout")
    town.clock.advance(1)
    with town.app.app_context():
        assert follow_up(provider(), now=int(town.clock())) == 1
    town.clock.advance(40 * DAY + KEEP_ENDED_FOR)
    for _ in range(3):
        purge(town.context, now=int(town.clock()))
    assert town.rows(BrowserSession) == town.rows(Authorization) == []
    town.context.database.close()
