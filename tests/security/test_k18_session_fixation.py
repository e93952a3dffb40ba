"""K18: a session's name is chosen by us, changes with every sign-in, and is dead after it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest

from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.messaging.service import open_mail
from tests.support.town import ISSUER, Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Browser, Town

SESSION, BROWSER = "__Host-denizen-session", "__Host-denizen-browser"
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


def test_opening_an_account_on_top_of_a_session_ends_that_session(town: Town) -> None:
    """Sign-up signs in, so it replaces what was there before."""
    browser = town.browser()
    browser.sign_in(town.maria)
    former = session_of(browser)
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    mail = [open_mail(town.context.vault, message) for message in town.rows(Message)][-1]
    link = re.findall(r"https://\S+/signup/confirm\S+", mail.text)[0]
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
    assert set(named) == {SESSION, BROWSER}
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
