"""What somebody ticks on a sign-in page, "This is a shared computer", holds also for a passkey and for a session they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.models import BrowserSession
from tests.idp.login.test_sessions import is_in
from tests.idp.oidc.test_step_up import demand
from tests.support.authenticator import Authenticator
from tests.support.factors import ask_for_code, sent_code, sent_link
from tests.support.passkeys import add_passkey, hand_over, options
from tests.support.town import Proof, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Town


def test_a_passkey_that_is_used_with_the_tick_begins_a_session_of_a_shared_computer(town: Town) -> None:
    """Its form is another one; the script sends the tick along (`test_passkeys_in_browser`)."""
    device, browser = Authenticator(), town.browser()
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    browser = town.browser()
    fields = hidden_fields(browser.get("/login").text, "/login/passkey")
    made = device.get(options(browser, "/login/passkey", fields))
    hand_over(browser, "/login/passkey", fields, made, shared="1")
    assert [bool(row.is_shared) for row in town.rows(BrowserSession) if row.acr == "phr"] == [True]


@pytest.mark.parametrize("is_ticked", [False, True])
def test_a_session_that_is_raised_with_the_tick_is_one_of_a_shared_computer_from_then_on(
    town: Town, *, is_ticked: bool
) -> None:
    """Kept by us, with the name that partners know; its twenty minutes run from the tick, so nobody is sent away at once."""
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    browser = town.browser()
    ask_for_code(browser, "maria")
    browser.submit("/login/email-code", code=sent_code(town))
    (before,) = town.rows(BrowserSession)
    town.clock.advance(1500)
    demand(town, town.library, minimum_acr="strong")
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    assert page.request.path == "/login"
    ticked = {"shared": "1"} if is_ticked else {}
    answer = browser.submit("/login", username="maria", password=town.maria.password, **ticked)
    assert answer.status_code == 303, answer.text
    (after,) = town.rows(BrowserSession)
    assert (after.sid, after.acr, bool(after.is_shared)) == (before.sid, "strong", is_ticked)
    assert ("leave-now" in browser.get("/account").text) is is_ticked
    if not is_ticked:
        assert after.expires_at == before.expires_at
        return
    assert after.expires_at == int(town.clock()) + town.settings.sessions.shared_absolute_for
    town.clock.advance(town.settings.sessions.shared_idle_for)
    assert not is_in(browser)
    assert browser.get("/shared-computer/over").headers["Clear-Site-Data"]


def test_a_session_of_a_shared_computer_that_is_raised_wins_no_time(town: Town) -> None:
    """Ticked before, or ticked again: it ends when it would have ended."""
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    browser = town.browser()
    ask_for_code(browser, "maria")
    browser.submit("/login/email-code", code=sent_code(town), shared="1")
    (before,) = town.rows(BrowserSession)
    town.clock.advance(200)
    demand(town, town.library, minimum_acr="strong")
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    if 'action="/authorize/as"' in browser.last.text:  # type: ignore[union-attr] # a page was just shown
        browser.follow(browser.submit("/authorize/as", who="me"))
    browser.submit("/login", username="maria", password=town.maria.password)
    (after,) = town.rows(BrowserSession)
    assert (after.acr, bool(after.is_shared), after.expires_at) == ("strong", True, before.expires_at)


@pytest.mark.parametrize("ticked", [{}, {"shared": "1"}], ids=["not ticked", "ticked"])
def test_whoever_opens_the_link_of_a_mail_in_another_browser_says_whether_others_use_that_computer(
    town: Town, ticked: dict[str, str]
) -> None:
    """What was said in the first browser holds for that one; in it, nothing is asked again."""
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    first, library = town.browser(), town.browser()
    ask_for_code(first, "maria")
    link = sent_link(town)
    assert 'name="shared"' not in first.get(link).text
    assert 'name="shared"' in library.get(link).text
    assert library.submit("/login/link", **ticked).status_code == 303
    (begun,) = town.rows(BrowserSession)
    assert bool(begun.is_shared) is bool(ticked)
