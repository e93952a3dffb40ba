"""How long a session lives at each level, and what becomes of one at a shared computer (identity.md, journey 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login import limits, sessions
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.devices.models import KnownDevice
from idp.login.levels import LEVELS
from idp.login.models import BrowserSession
from idp.settings import SessionSettings
from idp.upkeep import end_expired_sign_ins
from tests.idp.login.cards.conftest import issue
from tests.idp.oidc.test_step_up import demand
from tests.support.factors import attempt_of, sent_code
from tests.support.settled import assert_refused_back
from tests.support.town import Proof, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

SCOPE = "openid profile email"
SESSIONS = SessionSettings()
LIMITS = {
    ("basic", False): (4 * 3600, 24 * 3600),
    ("strong", False): (3600, 24 * 3600),
    ("phr", False): (3600, 12 * 3600),
    **{(level, True): (300, 1200) for level in LEVELS},
}


def begin(town: Town, acr: str, *, is_shared: bool = False) -> Browser:
    """A browser in which Maria is signed in at a level."""
    with town.context.database.transaction() as session:
        value = sessions.begin(
            session,
            town.maria.resident_id,
            amr="pwd",
            acr=acr,
            device="Firefox",
            settings=town.settings.sessions,
            place=sessions.Place("192.0.2.1", is_shared=is_shared),
            now=int(town.clock()),
        )
    browser = town.browser()
    browser.http.set_cookie("__Host-denizen-session", value, domain="id.riverton.example", secure=True)
    return browser


def is_in(browser: Browser) -> bool:
    """Whether somebody is signed in."""
    return browser.get("/account").status_code == 200


# --- limits ---


@pytest.mark.parametrize(("acr", "is_shared"), LIMITS, ids=str)
def test_a_session_idles_out_by_its_level(town: Town, acr: str, is_shared: bool) -> None:
    """NIST SP 800-63B-4 §2.2.3, §2.3.3: an hour without use for two factors and above; five minutes where others sit."""
    idle_for, _ = LIMITS[acr, is_shared]
    browser = begin(town, acr, is_shared=is_shared)
    town.clock.advance(idle_for - 1)
    assert is_in(browser)
    town.clock.advance(idle_for)
    assert not is_in(browser)


@pytest.mark.parametrize(("acr", "is_shared"), LIMITS, ids=str)
def test_use_prolongs_no_session_beyond_its_absolute_limit(town: Town, acr: str, is_shared: bool) -> None:
    """NIST SP 800-63B-4: a day for one or two factors, twelve hours for the highest; twenty minutes where others sit."""
    idle_for, absolute_for = LIMITS[acr, is_shared]
    browser = begin(town, acr, is_shared=is_shared)
    end = town.clock() + absolute_for
    while town.clock() < end - 1:
        town.clock.advance(min(idle_for - 60, end - 1 - town.clock()))
        assert is_in(browser)
    town.clock.advance(1)
    assert not is_in(browser)


@given(st.text(max_size=10), st.booleans())
def test_an_unknown_level_has_the_shortest_limits(acr: str, is_shared: bool) -> None:
    """Fail closed: what nobody knows is no reason to stay longer."""
    if acr in LEVELS:
        return
    for limit in (limits.idle_limit, limits.absolute_limit):
        known = [limit(SESSIONS, level, is_shared=is_shared) for level in LEVELS]
        assert limit(SESSIONS, acr, is_shared=is_shared) == min(known)


@given(st.ip_addresses())
def test_a_block_holds_its_address_and_is_as_coarse_as_promised(address: Any) -> None:
    """IPv4 /24 and IPv6 /48; nothing finer is ever kept."""
    block = limits.block_of(str(address))
    mapped = getattr(address, "ipv4_mapped", None) or address
    assert block.endswith("/24" if mapped.version == 4 else "/48")
    assert limits.block_of(block.partition("/")[0]) == block


@given(st.text(max_size=60))
def test_what_is_no_address_has_no_block(text: str) -> None:
    """A proxy may name anything; nothing of it is kept."""
    block = limits.block_of(text)
    assert not block or re.fullmatch(r"[0-9a-f.:]+/(24|48)", block)


def test_sessions_that_expired_unseen_are_ended_by_upkeep(town: Town) -> None:
    """Those that came to their limit, and those that idled out; what still lives is left alone."""
    begin(town, "phr")
    begin(town, "strong")
    town.clock.advance(12 * 3600)
    begin(town, "basic")
    end_expired_sign_ins(town.context, now=int(town.clock()))
    assert {row.acr: row.ended_at for row in town.rows(BrowserSession)} == {
        "phr": int(town.clock()),
        "strong": int(town.clock()),
        "basic": None,
    }


# --- a shared computer ---


@pytest.fixture
def kiosk(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town whose test browsers are its shared computers."""
    made = make_town(
        database_url, tmp_path, founding=founding, kiosk={"networks": ["192.0.2.0/28", "2001:db8::/64"]}
    )
    yield made
    made.context.database.close()


def test_a_computer_of_the_town_is_known_by_its_network(kiosk: Town) -> None:
    """No choice to make, nothing offered to keep; outside that network the choice is the resident's."""
    at_kiosk, outside = kiosk.browser(), kiosk.browser()
    outside.http.environ_base["REMOTE_ADDR"] = "192.0.2.17"
    page, other = at_kiosk.get("/login").text, outside.get("/login").text
    assert "This is a shared computer. You are signed out soon" in page
    assert 'name="shared"' not in page
    assert 'autocomplete="current-password"' not in page
    assert "webauthn" not in page
    assert "data-suggest" not in page
    assert 'name="shared"' in other
    assert 'autocomplete="current-password"' in other
    at_kiosk.sign_in(kiosk.maria)
    outside.sign_in(kiosk.maria)
    assert sorted(row.is_shared for row in kiosk.rows(BrowserSession)) == [False, True]


def test_the_resident_may_say_that_the_computer_is_shared(town: Town) -> None:
    """One tick on the sign-in page; the choice survives a mistyped password."""
    browser = town.browser()
    browser.get("/login")
    answer = browser.submit("/login", username=town.maria.username, password="wrong words", shared="1")
    assert re.search(r'<input[^>]*name="shared"[^>]* checked', answer.text)
    answer = browser.submit("/login", username=town.maria.username, password=town.maria.password, shared="1")
    assert [row.is_shared for row in town.rows(BrowserSession)] == [True]
    cookies = answer.headers.getlist("Set-Cookie")
    assert not any("Max-Age" in cookie or "Expires" in cookie for cookie in cookies), cookies


@pytest.mark.parametrize("way", ["password", "email-code"])
def test_that_the_computer_is_shared_goes_along_to_other_ways(town: Town, way: str) -> None:
    """Ticked on the first page, and said on every later one; the session is one of a shared computer."""
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    browser = town.browser()
    browser.get("/login")
    others = browser.follow(browser.submit("/login", other="1", shared="1"))
    handle = attempt_of(others)
    if way == "password":
        page = browser.get(f"/login?attempt={handle}")
        browser.submit("/login", username=town.maria.username, password=town.maria.password)
    else:
        page = browser.get(f"/login/email-code?attempt={handle}")
        browser.follow(browser.submit("/login/email-code", username="maria", send="1"))
        browser.submit("/login/email-code", code=sent_code(town))
    assert "This is a shared computer. You are signed out soon" in page.text
    assert [row.is_shared for row in town.rows(BrowserSession)] == [True]


@pytest.mark.parametrize("step", ["send", "code", "other"])
def test_the_page_for_codes_asks_whether_the_computer_is_shared(town: Town, step: str) -> None:
    """With the name, with the code, or on the way to yet another way."""
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=int(town.clock()))
    browser = town.browser()
    handle = attempt_of(browser.follow(browser.get("/login/other")))
    assert 'name="shared"' in browser.get(f"/login/email-code?attempt={handle}").text
    if step == "other":
        browser.follow(browser.submit("/login/email-code", other="1", shared="1"))
        browser.get(f"/login/email-code?attempt={handle}")
    ticked = {"shared": "1"}
    browser.submit("/login/email-code", username="maria", send="1", **(ticked if step == "send" else {}))
    assert ('name="shared"' in browser.follow().text) == (step == "code")
    browser.submit("/login/email-code", code=sent_code(town), **(ticked if step == "code" else {}))
    assert [row.is_shared for row in town.rows(BrowserSession)] == [True]


def test_every_page_of_a_shared_session_has_the_way_out_and_turns_into_the_warning(kiosk: Town) -> None:
    """Without a script, on pages for everybody as well; and no page of another session does."""
    browser = kiosk.browser()
    pages = ("/", "/account", "/account/devices", "/privacy", "/help", "/no-such-page")
    for path in pages:
        assert "leave-now" not in browser.get(path).text
    browser.sign_in(kiosk.maria)
    for path in pages:
        answer = browser.get(path)
        assert 'id="leave-now"' in answer.text, path
        assert '<meta http-equiv="refresh" content="240;url=/shared-computer?back=' in answer.text, path
        assert answer.headers["Cache-Control"] == "no-store", path
        assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_signing_out_of_a_shared_computer_makes_the_browser_forget(kiosk: Town) -> None:
    """W3C Clear-Site-Data: pages, cookies, storage; a computer of one's own keeps them."""
    browser = kiosk.browser()
    browser.sign_in(kiosk.maria)
    browser.get("/account")
    answer = browser.submit("/logout")
    assert answer.headers["Location"] == "/logged-out"
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not is_in(browser)
    own = kiosk.browser()
    own.http.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    own.get("/login")
    own.sign_in(kiosk.maria)
    own.get("/logout")
    assert "Clear-Site-Data" not in own.submit("/logout").headers


def test_the_warning_counts_down_and_is_no_use_of_the_session(kiosk: Town) -> None:
    """WCAG 2.2.1: warned a minute before; who does nothing is out in time, however often the page loads."""
    browser = kiosk.browser()
    browser.sign_in(kiosk.maria)
    kiosk.clock.advance(240)
    page = browser.get("/shared-computer?back=%2Fprivacy").text
    assert "You are signed out in 60 seconds." in page
    assert '<meta http-equiv="refresh" content="61;url=/shared-computer/over">' in page
    kiosk.clock.advance(50)
    assert "You are signed out in 10 seconds." in browser.get("/shared-computer").text
    kiosk.clock.advance(11)
    answer = browser.get("/shared-computer/over")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert "You are signed out" in answer.text
    assert not is_in(browser)


def test_who_is_still_there_stays(kiosk: Town) -> None:
    """Another five minutes, back on the page where they were; but not beyond twenty minutes in all."""
    browser = kiosk.browser()
    browser.sign_in(kiosk.maria)
    for _ in range(4):
        kiosk.clock.advance(290)
        browser.get("/shared-computer?back=%2Fprivacy")
        answer = browser.submit("/shared-computer")
        assert answer.headers["Location"] == "/privacy"
        assert is_in(browser)
    page = browser.get("/shared-computer").text
    assert "You are signed out in 40 seconds." in page
    assert 'id="stay"' not in page
    kiosk.clock.advance(40)
    assert not is_in(browser)


def test_another_tab_that_was_used_takes_the_warning_back(kiosk: Town) -> None:
    """The tab that lay idle neither warns of what is not due, nor ends the session."""
    browser = kiosk.browser()
    browser.sign_in(kiosk.maria)
    kiosk.clock.advance(239)
    assert is_in(browser)
    kiosk.clock.advance(1)
    assert browser.get("/shared-computer?back=%2Fhelp").headers["Location"] == "/help"
    assert browser.get("/shared-computer/over").headers["Location"] == "/shared-computer"
    assert is_in(browser)


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.test/",
        "//evil.test",
        "/logout",
        "/consent?flow=x",
        "/privacy//evil.test%0d",
        "/\\evil.test",
        "",
    ],
)
def test_the_warning_leads_back_to_pages_of_ours_alone(kiosk: Town, back: str) -> None:
    """No open redirect, no page that does something by being opened."""
    browser = kiosk.browser()
    browser.sign_in(kiosk.maria)
    browser.get("/account")
    assert browser.get("/shared-computer", query_string={"back": back}).headers["Location"] == "/"
    kiosk.clock.advance(250)
    browser.get("/shared-computer", query_string={"back": back})
    assert browser.submit("/shared-computer", back=back).headers["Location"] == "/"


def test_without_a_shared_session_there_is_nothing_to_warn_of(kiosk: Town) -> None:
    """A session of one's own computer is neither shown the warning nor ended by its pages."""
    browser = kiosk.browser()
    browser.http.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    browser.sign_in(kiosk.maria)
    assert browser.get("/shared-computer").headers["Location"] == "/shared-computer/over"
    answer = browser.get("/shared-computer/over")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Clear-Site-Data" not in answer.headers
    assert not answer.headers.getlist("Set-Cookie")
    assert is_in(browser)


def test_a_link_to_the_end_takes_nothing_from_a_visitor(kiosk: Town) -> None:
    """K20: any page of the web can send a browser there, in the middle of a sign-in, too, and on a known device."""
    browser = kiosk.browser()
    browser.http.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    browser.sign_in(kiosk.maria)
    browser.get("/logout")
    browser.submit("/logout")
    browser.get("/login")
    answer = browser.get("/shared-computer/over")
    assert answer.status_code == 200
    assert "Clear-Site-Data" not in answer.headers
    assert not answer.headers.getlist("Set-Cookie")


def test_a_shared_computer_is_one_also_for_who_proves_again_that_it_is_they(town: Town) -> None:
    """What was said at the first sign-in holds for the session that takes its place."""
    browser = town.browser()
    browser.get("/login")
    browser.submit("/login", username="maria", password=town.maria.password, shared="1")
    town.clock.advance(250)
    assert is_in(browser)
    town.clock.advance(100)
    page = browser.get("/login?again=1")
    assert "This is a shared computer. You are signed out soon" in page.text
    browser.submit("/login", username="maria", password=town.maria.password)
    rows = town.rows(BrowserSession)
    assert [bool(row.is_shared) for row in rows] == [True, True]
    assert town.rows(KnownDevice) == []
    town.clock.advance(300)
    assert not is_in(browser)


def test_a_sign_in_under_way_outlives_the_warning(kiosk: Town) -> None:
    """The page of a second factor turns into the warning and comes back, with the partner's request."""
    browser = kiosk.browser()
    issue(kiosk, kiosk.jun.resident_id).sign_in(browser)
    demand(kiosk, kiosk.tax, minimum_acr="strong")
    page = browser.follow(browser.authorize(kiosk.tax, "openid profile", Proof()))
    warning = re.search(r"/shared-computer\?back=[^\"]+", page.text)
    assert warning
    kiosk.clock.advance(245)
    browser.get(warning[0])
    answer = browser.submit("/shared-computer")
    assert answer.headers["Location"].startswith("/login/paper-code?attempt=")
    assert 'name="code"' in browser.follow(answer).text


def test_a_second_service_asks_whether_it_is_still_the_same_person(kiosk: Town) -> None:
    """experience.md: a reused session asks "continue as …?" on shared devices; a silent request gets none."""
    browser = kiosk.browser()
    browser.code(kiosk.library, kiosk.maria, SCOPE, Proof())
    answer = browser.authorize(kiosk.library, SCOPE, Proof(), prompt="none")
    assert_refused_back(answer, "interaction_required")
    page = browser.follow(browser.authorize(kiosk.library, SCOPE, Proof()))
    assert "Continue as <bdi>Maria Okafor</bdi>?" in page.text
    assert code_of(browser.follow(browser.submit("/authorize/as", who="me")))


def test_who_is_not_that_person_signs_the_other_one_out(kiosk: Town) -> None:
    """The session of the one before ends with its tokens, and the browser forgets it."""
    browser, proof = kiosk.browser(), Proof()
    code = browser.code(kiosk.library, kiosk.maria, SCOPE, proof)
    token = kiosk.redeem(kiosk.library, code, proof).json["access_token"]
    browser.follow(browser.authorize(kiosk.library, SCOPE, Proof()))
    answer = browser.submit("/authorize/as", who="other")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"', "a cookie says whose request waits"
    assert not any(row.ended_at is None for row in kiosk.rows(BrowserSession))
    assert kiosk.userinfo(token).status_code == 401
    assert 'action="/login"' in browser.follow(answer).text
    assert 'action="/consent"' in browser.follow(browser.sign_in(kiosk.jun)).text


def test_the_question_cannot_be_skipped_by_hand(kiosk: Town) -> None:
    """Opening the next page leads back to it; an answer for one request is none for another."""
    browser = kiosk.browser()
    browser.code(kiosk.library, kiosk.maria, SCOPE, Proof())
    handles = [
        browser.authorize(kiosk.library, SCOPE, Proof()).headers["Location"].partition("flow=")[2]
        for _ in range(2)
    ]
    for path in ("/authorize/continue", "/consent"):
        assert 'action="/authorize/as"' in browser.follow(browser.get(f"{path}?flow={handles[0]}")).text
    browser.submit("/authorize/as", who="me")
    assert 'action="/authorize/as"' in browser.follow(browser.get(f"/consent?flow={handles[1]}")).text
