"""`session_state` and the frame that is asked about it (OpenID Connect Session Management 1.0)."""

from __future__ import annotations

import hashlib
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

from idp.clients.rules import origin_of
from tests.support.town import ISSUER, Proof, answer_parameters, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town

COOKIE = "__Host-denizen-browser-state"


def state_cookie(answer: TestResponse) -> str | None:
    """The cookie header that sets or removes the browser's state."""
    found = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith(f"{COOKIE}=")]
    assert len(found) <= 1
    return found[0] if found else None


def value_of(answer: TestResponse) -> str:
    header = state_cookie(answer)
    assert header
    return SimpleCookie(header)[COOKIE].value


def again(town: Town, browser: Browser, **extra: str) -> TestResponse:
    """An answer without a person, for the library."""
    return browser.authorize(town.library, "openid profile", Proof(), prompt="none", **extra)


def test_an_answer_has_a_state_that_the_frame_can_work_out(town_both_ways: Town) -> None:
    """§2, §3.2: client, origin of the answer, state of the browser and a salt; another one each time."""
    town, browser = town_both_ways, town_both_ways.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    assert browser.last
    first, second = browser.last, again(town, browser)
    for answer in (first, second):
        told = answer_parameters(answer)["session_state"]
        digest, _, salt = told.partition(".")
        said = f"library https://rp.example {value_of(answer)} {salt}"
        assert digest == hashlib.sha256(said.encode()).hexdigest()
        assert " " not in told
    assert value_of(first) == value_of(second)
    assert answer_parameters(first)["session_state"] != answer_parameters(second)["session_state"]


def test_the_cookie_can_be_read_in_a_frame_and_is_no_secret(town: Town) -> None:
    """A script of ours reads it within another site; it tells neither the session's name nor its cookie."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    header = state_cookie(again(town, browser))
    assert header is not None
    attributes = {one.strip() for one in header.split(";")[1:]}
    assert attributes == {"Secure", "Path=/", "SameSite=None"}
    session = browser.http.get_cookie("__Host-denizen-session", domain="id.riverton.example")
    assert session is not None
    assert session.value not in header


def test_the_state_changes_with_the_session(town: Town) -> None:
    """Gone when somebody signs out or in; another one afterwards, for the same resident and another."""
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    seen = {value_of(again(town, browser))}
    browser.get("/login?again=1")
    answer = browser.submit("/login", username=town.maria.username, password=town.maria.password)
    assert "Max-Age=0" in (state_cookie(answer) or "")
    seen.add(value_of(again(town, browser)))
    browser.get("/logout")
    assert "Max-Age=0" in (state_cookie(browser.submit("/logout")) or "")
    refused = again(town, browser)
    assert answer_parameters(refused)["error"] == "login_required"
    assert "session_state" not in answer_parameters(refused)
    assert state_cookie(refused) is None
    browser.code(town.library, town.jun, "openid profile", Proof())
    seen.add(value_of(again(town, browser)))
    assert len(seen) == 3


def test_no_cookie_without_an_answer_to_a_partner(town: Town) -> None:
    """Whoever only looks after their own account is given none."""
    browser = town.browser()
    assert state_cookie(browser.sign_in(town.maria)) is None
    assert state_cookie(browser.get("/account")) is None


def test_an_app_that_is_no_web_page_gets_none() -> None:
    """There is no origin from which it could ask."""
    assert origin_of("org.example.app:/cb") == ""
    assert origin_of("https://RP.example:443/cb?x=1") == "https://rp.example"
    assert origin_of("http://127.0.0.1:8410/cb") == "http://127.0.0.1:8410"
    assert origin_of("http://[::1]:80/cb") == "http://[::1]"


def test_the_frame_may_be_framed_and_does_nothing_else(town_both_ways: Town) -> None:
    """Its own policy: one script of ours, no form, no style, no cookie, the same for everybody."""
    client = town_both_ways.app.test_client()
    answer = client.get("/check-session", base_url=ISSUER)
    assert answer.status_code == 200
    assert "X-Frame-Options" not in answer.headers
    policy = answer.headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors *")
    assert "default-src 'none'; script-src 'self'; " in policy
    assert not answer.headers.getlist("Set-Cookie")
    assert f'data-cookie="{COOKIE}"' in answer.text
    script = answer.text.partition('src="')[2].partition('"')[0]
    assert client.get(script, base_url=ISSUER).mimetype == "text/javascript"
    assert client.get("/login", base_url=ISSUER).headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("on", [True, False])
def test_a_town_can_do_without(database_url: str, tmp_path: Path, on: bool) -> None:
    """`[sessions] browser_check`: then there is no frame, no parameter, no cookie, and discovery says so."""
    town = make_town(database_url, tmp_path, sessions={"browser_check": on})
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    answer = again(town, browser)
    assert ("session_state" in answer_parameters(answer)) is on
    assert (state_cookie(answer) is not None) is on
    assert (browser.get("/check-session").status_code == 200) is on
    metadata = browser.get("/.well-known/openid-configuration").json
    assert (metadata.get("check_session_iframe") == f"{ISSUER}/check-session") is on
    assert metadata["end_session_endpoint"] == f"{ISSUER}/logout"
    for name in ("frontchannel_logout", "backchannel_logout"):
        assert metadata[f"{name}_supported"] is metadata[f"{name}_session_supported"] is True
    town.context.database.close()
