"""K18: a session's name is chosen by us, changes with every sign-in, and is dead after it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from idp.clients.service import demand_level
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.messaging.service import open_message
from tests.support.authenticator import Authenticator
from tests.support.factors import attempt_of, sent_code
from tests.support.passkeys import add_passkey, hand_over, options
from tests.support.town import ISSUER, Proof, hidden_fields, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Browser, Town

SESSION, BROWSER, DEVICE = (f"__Host-denizen-{name}" for name in ("session", "browser", "device"))
HOST = "id.riverton.example"


def session_of(browser: Browser) -> str:
    """The value of the browser's session cookie."""
    cookie = browser.http.get_cookie(SESSION, domain=HOST)
    assert cookie is not None
    return cookie.value


def is_signed_in(town: Town, value: str, name: str = SESSION) -> bool:
    """Whether a cookie value opens the account page."""
    browser = town.browser()
    browser.http.set_cookie(name, value, domain=HOST, secure=True)
    return browser.get("/account").status_code == 200


def test_a_cookie_set_before_the_sign_in_is_never_adopted(town: Town) -> None:
    """CVE-2024-28197: the value that an attacker planted stays nobody's session."""
    planted = secrets.token_urlsafe(32)
    browser = town.browser()
    browser.http.set_cookie(SESSION, planted, domain=HOST, secure=True)
    assert browser.get("/account").status_code == 303
    browser.sign_in(town.maria)
    assert session_of(browser) != planted
    assert is_signed_in(town, session_of(browser))
    assert not is_signed_in(town, planted)


def test_every_sign_in_gives_a_new_session_and_ends_the_former(town: Town) -> None:
    """ASVS 7.2.4: signing in again, or as somebody else, leaves no second way in."""
    browser = town.browser()
    values = []
    for person in (town.maria, town.maria, town.jun):
        browser.get("/login")
        browser.sign_in(person)
        values.append(session_of(browser))
    assert len(set(values)) == 3
    assert [is_signed_in(town, value) for value in values] == [False, False, True]


def test_signing_in_again_for_one_request_ends_the_former_session(town: Town) -> None:
    """`prompt=login` is a step up: a new id, and the old one is dead."""
    browser = town.browser()
    browser.sign_in(town.maria)
    former = session_of(browser)
    browser.follow(browser.authorize(town.library, "openid profile", Proof(), prompt="login"))
    browser.sign_in(town.maria)
    assert session_of(browser) != former
    assert not is_signed_in(town, former)


def test_every_rise_of_the_level_gives_a_new_id_and_the_old_one_is_dead(town: Town) -> None:
    """ASVS 7.2.4: one more proof for one request, from basic to the highest level; the level is that of the new id alone."""
    browser, device = town.browser(), Authenticator()
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    browser.code(town.library, town.maria, "openid profile", Proof())
    former = session_of(browser)
    town.clock.advance(60)
    essential = '{"id_token": {"acr": {"essential": true, "value": "phr"}}}'
    page = browser.follow(browser.authorize(town.library, "openid profile", Proof(), claims=essential))
    assert session_of(browser) == former  # as long as nothing is proved
    fields = hidden_fields(page.text, "/login/passkey")
    answer = device.get(options(browser, "/login/passkey", fields))
    hand_over(browser, "/login/passkey", fields, answer)
    assert session_of(browser) != former
    assert [is_signed_in(town, value) for value in (former, session_of(browser))] == [False, True]
    assert [row.acr for row in town.rows(BrowserSession) if row.ended_at is None] == ["phr"]


def test_a_rise_in_one_tab_raises_no_session_that_was_ended_meanwhile(town: Town) -> None:
    """The owner signs the device out while somebody at it is asked for one more proof: it stays signed out."""
    browser, owner, device = town.browser(), town.browser(), Authenticator()
    browser.sign_in(town.maria)
    add_passkey(browser, device)
    browser.code(town.library, town.maria, "openid profile", Proof())
    town.clock.advance(60)
    essential = '{"id_token": {"acr": {"essential": true, "value": "phr"}}}'
    page = browser.follow(browser.authorize(town.library, "openid profile", Proof(), claims=essential))
    fields = hidden_fields(page.text, "/login/passkey")
    challenge = options(browser, "/login/passkey", fields)
    owner.sign_in(town.maria)
    owner.get("/account/devices")
    owner.submit("/account/devices/end-others")
    hand_over(browser, "/login/passkey", fields, device.get(challenge))
    live = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert all("pwd" not in row.amr or row.acr == "basic" for row in live), [(r.acr, r.amr) for r in live]


def ask_for_more(town: Town, browser: Browser) -> None:
    """The library demands two factors, and whoever is signed in by password has a code sent to them."""
    with town.context.database.transaction() as session:
        assert demand_level(session, town.library.client_id, "strong")
    town.fresh()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    assert page.request.path == "/login/email-code"
    browser.follow(browser.submit("/login/email-code", send="1"))


@pytest.mark.parametrize("later", [-45, 0, 1])
def test_a_rise_that_begins_with_its_session_ends_with_it_too(town: Town, later: int) -> None:
    """The same on a node whose clock is behind: what the ended session proved is worth nothing, however young it is."""
    browser, owner = town.browser(), town.browser()
    browser.sign_in(town.maria)
    town.clock.advance(later)
    ask_for_more(town, browser)
    code = sent_code(town)
    owner.sign_in(town.maria)
    owner.get("/account/devices")
    owner.submit("/account/devices/end-others")
    town.clock.advance(100)
    answer = browser.submit("/login/email-code", code=code)
    assert answer.headers["Location"].startswith("/authorize/continue?flow=")
    assert browser.get("/account").status_code == 303
    assert [row.acr for row in town.rows(BrowserSession) if row.ended_at is None] == ["basic"]


def test_a_rise_raises_the_session_it_began_with_and_no_other(town: Town) -> None:
    """Maria signs in again in another tab: the new session is not taken for the one that was asked for more."""
    browser = town.browser()
    browser.sign_in(town.maria)
    ask_for_more(town, browser)
    code, asked = sent_code(town), browser.last
    town.clock.advance(60)
    browser.get("/login?again=1")
    browser.sign_in(town.maria)
    browser.last = asked
    answer = browser.submit("/login/email-code", code=code)
    assert answer.headers["Location"].startswith("/authorize/continue?flow=")
    (live,) = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert (live.acr, live.authenticated_at) == ("basic", int(town.clock()))
    page = browser.follow(browser.get(f"/login/email-code?attempt={attempt_of(asked)}"))
    assert page.request.path == "/login/email-code", "what waits goes on with the session that is there now"
    assert attempt_of(page) != attempt_of(asked)


@pytest.mark.parametrize("domain", [HOST, "riverton.example"])
def test_a_cookie_from_a_subdomain_is_not_adopted_at_a_rise_either(town: Town, domain: str) -> None:
    """A planted plain name beside the real one changes nothing: neither read, nor raised, nor given out."""
    planted = secrets.token_urlsafe(32)
    browser = town.browser()
    browser.http.set_cookie("denizen-session", planted, domain=domain, secure=True)
    browser.sign_in(town.maria)
    first = session_of(browser)
    browser.follow(browser.authorize(town.library, "openid profile", Proof(), prompt="login"))
    browser.sign_in(town.maria)
    assert planted not in (first, session_of(browser))
    for name in ("denizen-session", SESSION):
        assert not is_signed_in(town, planted, name=name)


def test_opening_an_account_on_top_of_a_session_ends_that_session(town: Town) -> None:
    """Sign-up signs in, so it replaces what was there before."""
    browser = town.browser()
    browser.sign_in(town.maria)
    former = session_of(browser)
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    (message,) = (row for row in town.rows(Message) if row.name == "confirm_sign_up")
    link = open_message(town.context.vault, message).values["link"]
    browser.get(link.removeprefix(ISSUER))
    answer = browser.submit("/signup/confirm", given_name="Noor", password="eleven grey herons waiting")
    assert answer.status_code == 303, answer.text
    assert session_of(browser) != former
    assert not is_signed_in(town, former)


def test_a_signed_out_session_stays_dead(town: Town) -> None:
    """The cookie of a session that was ended opens nothing, however it was ended."""
    browser = town.browser()
    browser.sign_in(town.maria)
    value = session_of(browser)
    browser.get("/logout")
    browser.submit("/logout")
    assert browser.http.get_cookie(SESSION, domain=HOST) is None
    assert not is_signed_in(town, value)


def test_a_session_ended_on_one_node_is_dead_on_the_other_at_once(
    town: Town, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Two nodes share nothing but the database."""
    from idp.app import create_app, open_context

    browser = town.browser()
    browser.sign_in(town.maria)
    value = session_of(browser)
    other = open_context(town.settings, clock=town.clock)
    request.addfinalizer(other.database.close)
    node = create_app(other).test_client()
    node.set_cookie(SESSION, value, domain=HOST, secure=True)
    assert node.get("/account", base_url=ISSUER).status_code == 200
    browser.get("/logout")
    browser.submit("/logout")
    assert node.get("/account", base_url=ISSUER).status_code == 303


@pytest.mark.parametrize("limit", ["idle", "absolute"])
def test_a_session_ends_by_itself(town: Town, limit: str) -> None:
    """NIST SP 800-63B-4 §2.2.3: an idle and an absolute limit; use prolongs only the first."""
    browser = town.browser()
    browser.sign_in(town.maria)
    settings = town.settings.sessions
    if limit == "idle":
        town.clock.advance(settings.idle_for)
    else:
        for _ in range(settings.absolute_for // (settings.idle_for - 60)):
            town.clock.advance(settings.idle_for - 60)
            assert browser.get("/account").status_code == 200
        town.clock.advance(settings.absolute_for % (settings.idle_for - 60) + 1)
    assert browser.get("/account").status_code == 303


def test_a_cookie_without_the_host_prefix_counts_for_nothing(town: Town) -> None:
    """A subdomain can set `denizen-session` for the parent domain, but never a `__Host-` name."""
    browser = town.browser()
    browser.sign_in(town.maria)
    assert not is_signed_in(town, session_of(browser), name="denizen-session")
    assert is_signed_in(town, session_of(browser))


def test_only_the_hash_of_a_session_is_kept(town: Town) -> None:
    """A copy of the database opens no session."""
    browser = town.browser()
    browser.sign_in(town.maria)
    (row,) = town.rows(BrowserSession)
    kept = repr([getattr(row, column.name) for column in BrowserSession.__table__.columns])
    assert session_of(browser) not in kept
    assert not is_signed_in(town, row.sid)
    assert not is_signed_in(town, row.id_hash.hex()[:43])


def test_cookies_are_closed_to_scripts_other_sites_and_plain_http(town: Town) -> None:
    """Secure, HttpOnly, SameSite, the whole host and no Domain, so that `__Host-` holds (RFC 6265bis §4.1.3.2)."""
    browser = town.browser()
    cookies = browser.get("/login").headers.getlist("Set-Cookie")
    cookies += browser.sign_in(town.maria).headers.getlist("Set-Cookie")
    named = {cookie.partition("=")[0]: cookie for cookie in cookies}
    assert set(named) == {SESSION, BROWSER, DEVICE}
    for cookie in named.values():
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


def test_plain_http_on_this_machine_has_plain_names(database_url: str, tmp_path: Path) -> None:
    """A browser refuses `__Host-` without https, so the demo does without; a public town cannot."""
    town = make_town(
        database_url,
        tmp_path,
        server={"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"},
    )
    client = town.app.test_client()
    cookies = client.get("/login", base_url="http://localhost:8400").headers.getlist("Set-Cookie")
    town.context.database.close()
    assert [cookie.partition("=")[0] for cookie in cookies] == ["denizen-browser"]
    assert "Secure" not in cookies[0]
