"""Several tabs, other browsers, old pages: what waited is never lost, and never answered where it did not begin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from consent.models import Record
from idp.login.models import BrowserSession, LoginAttempt
from idp.oidc import interactions
from idp.oidc.models import Interaction
from tests.support.factors import after_password, attempt_of, shown, with_app
from tests.support.town import Proof, answer_parameters, choices, code_of, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town


def live(town: Town) -> list[BrowserSession]:
    return [row for row in town.rows(BrowserSession) if row.ended_at is None]


def flow_of(answer: TestResponse) -> str:
    return str(answer.headers["Location"].partition("flow=")[2].partition("#")[0])


def agree(browser: Browser, answer: TestResponse) -> TestResponse:
    return browser.follow(browser.allow()) if 'action="/consent"' in answer.text else answer


# --- tabs of one browser ---


def test_a_second_tab_goes_on_without_asking_once_the_first_has_signed_in(town: Town) -> None:
    """Two partners' requests wait in one browser; finishing one leaves the other answerable."""
    browser, proofs = town.browser(), [Proof(), Proof()]
    flows = [
        flow_of(browser.authorize(partner, "openid", proof))
        for partner, proof in zip((town.library, town.tax), proofs, strict=True)
    ]
    tabs = [browser.get(f"/login?flow={flow}") for flow in flows]
    assert all('action="/login"' in tab.text for tab in tabs)
    browser.last = tabs[0]
    answer = agree(browser, browser.follow(browser.sign_in(town.maria)))
    assert town.redeem(town.library, code_of(answer), proofs[0]).status_code == 200
    answer = agree(browser, browser.follow(browser.get(f"/login?flow={flows[1]}")))
    assert town.redeem(town.tax, code_of(answer), proofs[1]).status_code == 200
    assert len(town.rows(BrowserSession)) == 1


def test_the_form_of_the_second_tab_still_works(town: Town) -> None:
    """Whoever types the password there signs in anew, and both requests are answered."""
    browser, proof = town.browser(), Proof()
    flow = flow_of(browser.authorize(town.tax, "openid", proof))
    tab = browser.get(f"/login?flow={flow}")
    browser.get("/login")
    browser.sign_in(town.maria)
    browser.last = tab
    answer = agree(browser, browser.follow(browser.sign_in(town.maria)))
    assert town.redeem(town.tax, code_of(answer), proof).status_code == 200
    assert len(live(town)) == 1


def test_two_attempts_with_a_second_step_finish_by_one_code(town: Town) -> None:
    """Both tabs wait for the code of the app; the code works once, and the other tab goes on without it."""
    secret = with_app(town, town.maria)
    browser, proof = town.browser(), Proof()
    flow = flow_of(browser.authorize(town.tax, "openid", proof))
    first = after_password(browser, town.maria, f"/login?flow={flow}")
    second = after_password(browser, town.maria, "/login?next=/privacy")
    town.clock.advance(1)
    browser.last = second
    assert browser.submit("/login/totp", code=shown(town, secret)).headers["Location"] == "/privacy"
    browser.last = first
    answer = agree(browser, browser.follow(browser.submit("/login/totp", code=shown(town, secret))))
    assert town.redeem(town.tax, code_of(answer), proof).status_code == 200
    assert len(town.rows(BrowserSession)) == 2  # with the one in which the app was set up


def test_another_residents_session_does_not_finish_an_attempt(town: Town) -> None:
    """Maria's password was proved in one tab, Jun signs in in another: Maria's tab still asks for her code."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    page = after_password(browser, town.maria, "/login?next=/privacy")
    town.clock.advance(1)
    after_password(browser, town.jun)
    again = browser.get(f"/login/totp?attempt={attempt_of(page)}")
    assert again.status_code == 200
    assert browser.submit("/login/totp", code=shown(town, secret)).headers["Location"] == "/privacy"
    assert [row.resident_id for row in live(town)] == [town.maria.resident_id]


def test_prompt_login_is_not_met_by_another_tab(town: Town) -> None:
    """OIDC Core §3.1.2.1: the partner asked for a sign-in of its own."""
    browser = town.browser()
    browser.sign_in(town.maria)
    flow = flow_of(browser.authorize(town.tax, "openid", Proof(), prompt="login"))
    assert 'action="/login"' in browser.get(f"/login?flow={flow}").text
    town.clock.advance(60)
    browser.sign_in(town.maria)
    assert browser.get(f"/login?flow={flow}").headers["Location"].startswith("/authorize/continue")


# --- two release pages of one service ---


def two_release_pages(town: Town) -> tuple[Browser, list[TestResponse], list[Proof]]:
    """Maria, signed in, with the library's page open in two tabs."""
    browser, proofs = town.browser(), [Proof(), Proof()]
    browser.sign_in(town.maria)
    pages = [
        browser.follow(browser.authorize(town.library, "openid profile email", proof)) for proof in proofs
    ]
    assert all(choices(page.text) == ["email"] for page in pages)
    return browser, pages, proofs


def told(town: Town, answer: TestResponse, proof: Proof) -> dict[str, Any]:
    """What the library learns by an answer."""
    tokens = town.redeem(town.library, code_of(answer), proof).json
    found: dict[str, Any] = town.userinfo(tokens["access_token"]).json
    return found


def test_a_box_ticked_in_the_second_tab_is_recorded(town: Town) -> None:
    """Whoever allows in one tab, and more in the other, has said so: it counts, and both requests are answered."""
    browser, pages, proofs = two_release_pages(town)
    browser.last = pages[0]
    assert "email" not in told(town, browser.allow(), proofs[0])
    browser.last = pages[1]
    answer = browser.follow(browser.allow(share=["email"]))
    assert told(town, answer, proofs[1])["email"] == town.maria.email
    assert [(row.event, row.claims_chosen) for row in town.rows(Record)][-1] == (
        "renewed",
        '["name","email"]',
    )


def test_what_was_ticked_in_the_first_tab_is_not_taken_back_unseen(town: Town) -> None:
    """The second tab's page did not show the tick: it is asked again, says why, and shows how things stand."""
    browser, pages, proofs = two_release_pages(town)
    browser.last = pages[0]
    assert "email" in told(town, browser.allow(share=["email"]), proofs[0])
    before = len(town.rows(Record))
    browser.last = pages[1]
    page = browser.follow(browser.allow())
    assert "What you sent just now was not recorded." in page.text
    assert "receives none of your data" not in page.text
    assert re.search(r'value="email" checked', page.text)
    assert len(town.rows(Record)) == before
    assert "email" not in told(town, browser.follow(browser.allow()), proofs[1]), "seen, and unticked"


def test_the_second_tab_loaded_again_goes_on_with_what_was_agreed(town: Town) -> None:
    """No page says that a service receives nothing when it does."""
    browser, pages, proofs = two_release_pages(town)
    browser.last = pages[0]
    code_of(browser.allow(share=["email"]))
    answer = browser.follow(browser.get(f"/consent?{pages[1].request.query_string.decode()}"))
    assert "email" in told(town, answer, proofs[1])


def test_a_no_in_the_second_tab_concerns_its_request_alone(town: Town) -> None:
    """What was allowed in the first stands until it is taken back where that also ends the tokens."""
    browser, pages, _ = two_release_pages(town)
    browser.last = pages[0]
    code_of(browser.allow())
    before = len(town.rows(Record))
    browser.last = pages[1]
    assert answer_parameters(browser.deny())["error"] == "access_denied"
    assert len(town.rows(Record)) == before


# --- back, again, nothing ---


def test_a_page_of_an_attempt_that_became_a_session_leads_on(town: Town) -> None:
    """The back button, and a form that is sent twice."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    page = after_password(browser, town.maria, "/login?next=/privacy")
    code = shown(town, secret)
    assert browser.submit("/login/totp", code=code).headers["Location"] == "/privacy"
    handle = attempt_of(page)
    for path in ("/login/totp", "/login/other", "/login"):
        assert browser.get(f"{path}?attempt={handle}").headers["Location"] == "/privacy"
    browser.last = page
    assert browser.submit("/login/totp", code=code).headers["Location"] == "/privacy"
    assert len(live(town)) == 1


def test_back_to_the_password_in_an_attempt(town: Town) -> None:
    """The sign-in page of an attempt in which the password was proved shows what can follow it."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    page = after_password(browser, town.maria)
    handle = attempt_of(page)
    again = browser.get(f"/login?attempt={handle}")
    assert 'name="password"' not in again.text
    assert "Other ways to sign in" in again.text
    browser.get(f"/login/totp?attempt={handle}")
    assert browser.submit("/login/totp", code=shown(town, secret)).status_code == 303


@pytest.mark.parametrize("handle", ["", "x", "A" * 43, "%00" * 43, "'" * 43])
@pytest.mark.parametrize("path", ["/login/totp", "/login/recovery-code", "/login/email-code", "/login?x=1"])
def test_odd_handles_are_over_or_begin_anew(town: Town, path: str, handle: str) -> None:
    browser = town.browser()
    answer = browser.get(f"{path}{'&' if '?' in path else '?'}attempt={handle}")
    assert answer.status_code in (200, 400)
    assert answer.status_code == 400 or path.startswith("/login?")


def test_a_page_in_another_language_keeps_its_attempt(town: Town) -> None:
    with_app(town, town.maria)
    browser = town.browser()
    page = after_password(browser, town.maria)
    handle = attempt_of(page)
    assert f"attempt={handle}&amp;lang=fr" in page.text
    assert 'lang="fr"' in browser.get(f"/login/totp?attempt={handle}&lang=fr").text


# --- another browser ---


@pytest.mark.parametrize("has_agreed", [False, True])
def test_whoever_is_signed_in_in_the_other_browser_begins_anew_there_at_once(
    town: Town, *, has_agreed: bool
) -> None:
    """A click leads to the service where its resident has agreed before, else to what is to be agreed to."""
    first, second, proof = town.browser(), town.browser(), Proof()
    if has_agreed:
        town.tokens(town.library, town.maria, "openid")
    second.sign_in(town.maria)
    flow = flow_of(first.authorize(town.library, "openid", proof))
    second.get(f"/authorize/continue?flow={flow}")
    answer = second.follow(second.submit("/authorize/restart"))
    assert ('action="/consent"' in answer.text) is not has_agreed
    assert town.redeem(town.library, code_of(agree(second, answer)), proof).status_code == 200


def test_a_request_opened_in_another_browser_begins_anew_there(town: Town) -> None:
    """The address was sent on, or the cookie was lost: a click begins the same request here, with nothing of the other."""
    first, second, proof = town.browser(), town.browser(), Proof()
    flow = flow_of(first.authorize(town.library, "openid profile", proof, login_hint="maria@example.org"))
    page = second.get(f"/authorize/continue?flow={flow}")
    assert page.status_code == 409
    assert "This sign-in began in another browser" in page.text
    assert "Riverton Public Library" in page.text
    assert "maria" not in page.text
    again = second.follow(second.submit("/authorize/restart"))
    assert 'action="/login"' in again.text
    assert 'value="maria@example.org"' not in again.text
    answer = agree(second, second.follow(second.sign_in(town.maria)))
    assert answer_parameters(answer)["state"] == "st"
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200
    assert 'value="maria@example.org"' in first.get(f"/login?flow={flow}").text, (
        "the first browser has lost nothing"
    )


def test_a_sign_in_in_one_browser_is_none_in_the_other(town: Town) -> None:
    """K09: neither the session nor that somebody signed in for the request crosses over."""
    first, second = town.browser(), town.browser()
    flow = flow_of(first.authorize(town.library, "openid", Proof(), prompt="login"))
    first.get(f"/login?flow={flow}")
    first.sign_in(town.maria)
    second.get(f"/authorize/continue?flow={flow}")
    again = second.follow(second.submit("/authorize/restart"))
    assert 'action="/login"' in again.text
    fresh = [row for row in town.rows(Interaction) if row.signed_in_at is None]
    assert len(fresh) == 1
    assert fresh[0].login_hint is None


def test_beginning_anew_needs_this_browsers_form(town: Town) -> None:
    """No other site makes a browser begin, and no handle that never was leads anywhere."""
    first, second = town.browser(), town.browser()
    flow = flow_of(first.authorize(town.library, "openid", Proof()))
    assert second.post("/authorize/restart", {"flow": flow}).status_code == 403
    page = second.get(f"/authorize/continue?flow={flow}")
    token = hidden_fields(page.text, "/authorize/restart")["csrf_token"]
    for odd in ("", "x", "A" * 43, "é" * 43):
        assert second.post("/authorize/restart", {"flow": odd, "csrf_token": token}).status_code == 400
    assert len(town.rows(Interaction)) == 1


def test_an_answered_request_begins_nowhere(town: Town) -> None:
    first, second = town.browser(), town.browser()
    flow = flow_of(first.authorize(town.library, "openid", Proof()))
    first.get(f"/login?flow={flow}")
    first.submit("/login", cancel="1")
    for browser in (first, second):
        page = browser.get(f"/authorize/continue?flow={flow}")
        assert page.status_code == 400
        assert "This sign-in has ended" in page.text


@pytest.mark.parametrize("path", ["/login", "/authorize/continue", "/consent"])
def test_a_request_that_waited_too_long_goes_back_to_its_partner(town: Town, path: str) -> None:
    """With the state, so that the partner can begin anew; in another browser there is only an explanation."""
    first, second = town.browser(), town.browser()
    flow = flow_of(first.authorize(town.library, "openid", Proof()))
    first.get(f"/login?flow={flow}")
    town.clock.advance(interactions.WAIT_FOR)
    page = second.get(f"{path}?flow={flow}")
    assert page.status_code == 400
    assert "it waited too long" in page.text
    answer = first.get(f"{path}?flow={flow}")
    assert answer.headers["Location"].startswith("https://rp.example/cb?")
    said = answer_parameters(answer)
    assert (said["error"], said["state"]) == ("access_denied", "st")
    assert first.get(f"{path}?flow={flow}").status_code == 400, "once"


# --- where it leads ---


def test_other_ways_begin_an_attempt_that_keeps_where_it_leads(town: Town) -> None:
    browser, proof = town.browser(), Proof()
    flow = flow_of(browser.authorize(town.tax, "openid", proof))
    browser.get(f"/login?flow={flow}")
    others = browser.follow(browser.submit("/login", other="1"))
    assert "Tax portal" in others.text
    assert "Code by e-mail" in others.text
    password = (
        others.text.partition('href="/login?')[2].partition('"')[0].replace("&amp;", "&").partition("#")[0]
    )
    browser.get(f"/login?{password}")
    answer = agree(browser, browser.follow(browser.sign_in(town.maria)))
    assert town.redeem(town.tax, code_of(answer), proof).status_code == 200


@pytest.mark.parametrize(
    "target", ["%00", "/account/%00", "//evil.example", "https://evil.example", "/account/" + "a" * 300]
)
def test_odd_targets_are_forgotten(town: Town, target: str) -> None:
    """Whatever stands in `next`: no error on either database, and it leads home."""
    browser = town.browser()
    others = browser.follow(browser.get(f"/login/other?next={target}"))
    assert others.status_code == 200
    browser.get(f"/login?attempt={attempt_of(others)}")
    assert browser.sign_in(town.maria).headers["Location"] == "/account"


def test_a_simple_sign_in_leaves_no_attempt_behind(town: Town) -> None:
    """One proof that is enough begins the session in one transaction, and no more."""
    browser = town.browser()
    browser.get("/login")
    browser.sign_in(town.maria)
    assert town.rows(LoginAttempt) == []
    assert len(live(town)) == 1
