"""What a resident agrees to in one window and takes back in another comes one after the other (decision 0035)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from consent import expiry, log, records
from consent.models import Record
from consent.withdrawals import service as withdrawals
from consent.working_models import Question
from idp.clients.registry import ClientRegistry
from idp.lapses import look
from idp.login.models import BrowserSession
from idp.oidc import decisions, holds, lasting
from tests.idp.oidc.test_consent_expires import _lasting
from tests.idp.oidc.test_consent_questions import _ask, _signed_in, _sub, asking
from tests.support.settled import SCOPE
from tests.support.statements import side_by_side
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

__all__ = ["asking"]  # a fixture

#: SQLite has one writer, who is alone from the first statement on.
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def _path_of(browser: Browser, page: str, begins: str) -> str:
    """Where the first form of a page that begins so leads to."""
    (path,) = re.findall(rf'action="({begins}[^"]+)"', browser.get(page).text)[:1]
    return str(path)


def test_a_visit_does_not_undo_what_is_taken_back_meanwhile(town: Town) -> None:
    """The grant is never more than the choices that stand."""
    browser, other, now = town.browser(), town.browser(), int(town.clock())
    browser.code(town.library, town.maria, SCOPE, Proof())
    other.code(town.library, town.maria, SCOPE, Proof())
    page = other.get("/privacy/services/library").text
    (path,) = re.findall(r'action="(/privacy/services/library/purposes/[^"]+/narrow)"', page)[:1]
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), prompt="consent"))
    agreed, narrowed = side_by_side(
        town.context.database,
        lambda: browser.allow(share=["email"]).status_code,
        lambda: other.submit(path).status_code,
        meets_at=(lasting, "columns"),
    )
    assert (agreed, narrowed) == (303, 303)
    with town.context.database.reading() as session:
        whose = town.maria.resident_id
        chosen = records.current_choices(session, whose, "library", now).values()
        grant = decisions.live_grant(session, whose, "library")
        stands = {claim for one in chosen for claim in one.claims_chosen}
        assert set(grant.claims.split()) <= stands, (grant.claims, stands)


def test_an_agreement_that_is_renewed_beside_its_withdrawal_has_ended(town: Town) -> None:
    """Nothing that was taken back comes back by a look at how things stood before."""
    _lasting(town, "library")
    browser, other = town.browser(), town.browser()
    for one in (browser, other):
        one.code(town.library, town.maria, SCOPE, Proof())
    path = _path_of(browser, "/privacy/questions", "/privacy/renewals/")
    other.get("/privacy/services/library")
    renewed, withdrawn = side_by_side(
        town.context.database,
        lambda: browser.submit(path).status_code,
        lambda: other.submit("/privacy/services/library/withdraw").status_code,
        meets_at=(expiry, "renewable"),
    )
    assert (renewed, withdrawn) == (303, 303)
    with town.context.database.reading() as session:
        (choice,) = records.current_choices(session, town.maria.resident_id, "library").values()
    assert not choice.in_force


def test_an_agreement_that_is_renewed_beside_its_end_goes_on(town: Town) -> None:
    """The job finds it renewed, or the resident is asked anew; never is a yes followed by an end of what was before."""
    _lasting(town, "library", valid_for=1800)
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    town.clock.advance(1800)
    path, now = _path_of(browser, "/privacy/questions", "/privacy/renewals/"), int(town.clock())
    clients = ClientRegistry(town.context.database)
    answer, _ = side_by_side(
        town.context.database,
        lambda: browser.submit(path).headers["Location"],
        lambda: look(town.context, clients, now=now),
        meets_at=(log, "append"),
    )
    assert "done=renewed" in answer
    with town.context.database.reading() as session:
        (choice,) = records.current_choices(session, town.maria.resident_id, "library", now).values()
    assert (choice.in_force, choice.valid_until) == (True, now + 1800)


def test_whoever_has_just_said_no_is_not_asked_at_once(asking: Town) -> None:
    """The service asks again while the answer is written."""
    sub, browser = _sub(asking, asking.maria), _signed_in(asking, asking.maria)
    _ask(asking, sub)
    path = _path_of(browser, "/privacy/questions", "/privacy/questions/")
    asked, answered = side_by_side(
        asking.context.database,
        lambda: _ask(asking, sub).status_code,
        lambda: browser.submit(path, answer="no").headers["Location"],
        meets_at=(records, "current_choice"),
    )
    assert asked == 202
    assert "done=no" in answered
    assert [one.state for one in asking.rows(Question)] == ["answered"]


def test_nobody_agrees_to_anything_in_a_session_that_is_being_ended(asking: Town) -> None:
    """Everything is stopped on one device; whoever has the other in hand says yes to nothing any more (decision 0035)."""
    browser, other = (_signed_in(asking, asking.maria) for _ in range(2))
    _ask(asking, _sub(asking, asking.maria))
    path = _path_of(other, "/privacy/questions", "/privacy/questions/")
    browser.get("/privacy/pause")
    stopped, answered = side_by_side(
        asking.context.database,
        lambda: browser.submit("/privacy/pause").headers["Location"],
        lambda: other.submit(path, answer="yes").headers["Location"],
        meets_at=(holds, "place"),
    )
    assert stopped == "/paused"
    assert "done=again" in answered
    own = [row for row in asking.rows(BrowserSession) if row.resident_id == asking.maria.resident_id]
    assert all(row.ended_at for row in own)
    assert "given" not in [row.event for row in asking.rows(Record) if row.control == "question-yes"]


def test_who_is_agreed_to_beside_the_stop_of_everything_is_told_of_it(town: Town) -> None:
    """Its grant ends with all others, so it hears why."""
    browser, other = town.browser(), town.browser()
    browser.code(town.tax, town.maria, "openid email", Proof())
    other.follow(other.authorize(town.library, SCOPE, Proof()))
    other.follow(other.sign_in(town.maria))
    browser.get("/privacy/pause")
    agreed, stopped = side_by_side(
        town.context.database,
        lambda: other.allow(share=["email"]).status_code,
        lambda: browser.submit("/privacy/pause").headers["Location"],
        meets_at=(lasting, "columns"),
    )
    assert (agreed, stopped) == (303, "/paused")
    with town.context.database.reading() as session:
        assert set(withdrawals.newest_by_client(session, town.maria.resident_id)) == {"library", "tax"}
