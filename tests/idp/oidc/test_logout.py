"""Signing out at a client's wish (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from idp.clients.metadata import Details
from idp.login.models import BrowserSession
from tests.idp.oidc.test_step_up import said_of
from tests.support.front import new_client
from tests.support.settled import SCOPE, assert_refused_back, parameters
from tests.support.town import ISSUER, Proof, answer_parameters

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

BYE = "https://rp.example/bye"


@pytest.fixture
def visit(town: Town) -> tuple[Town, Browser, dict[str, Any]]:
    """Maria signed in at the library, in one browser; the library's tokens, without offline access."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, "openid profile", proof)
    return town, browser, town.redeem(town.library, code, proof).json


def _is_signed_in(town: Town, browser: Browser) -> bool:
    answer = browser.authorize(town.library, "openid", Proof(), prompt="none")
    return "code=" in answer.headers["Location"]


def test_a_fresh_hint_of_this_session_ends_it_without_a_question(
    visit: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """§2, §3: back to the registered address, with the state; the session's row has ended, its cookie is gone."""
    town, browser, tokens = visit
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "a&b=ü"}
    answer = browser.get("/logout", query_string=query)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BYE}?state=a%26b%3D%C3%BC")
    assert all(row.ended_at for row in town.rows(BrowserSession))
    assert any("denizen-session=;" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert_refused_back(browser.authorize(town.library, "openid", Proof(), prompt="none"), "login_required")


def test_tokens_of_the_session_end_with_it(visit: tuple[Town, Browser, dict[str, Any]]) -> None:
    """ASVS 7.4: access that lives by the session dies with it, at once."""
    town, browser, tokens = visit
    assert town.userinfo(tokens["access_token"]).status_code == 200
    browser.get("/logout", query_string={"id_token_hint": tokens["id_token"]})
    assert town.userinfo(tokens["access_token"]).status_code == 401


def test_offline_access_outlives_the_session(town: Town) -> None:
    """OIDC Core §11: that is what the resident agreed to."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, SCOPE, proof)
    tokens = town.redeem(town.library, code, proof).json
    browser.get("/logout", query_string={"id_token_hint": tokens["id_token"]})
    assert not _is_signed_in(town, browser)
    assert town.userinfo(tokens["access_token"]).status_code == 200
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200


def test_a_code_given_before_signing_out_gives_no_tokens_after_it(town: Town) -> None:
    """The minute between code and token is no gap here either."""
    browser, proof = town.browser(), Proof()
    first = Proof()
    code = browser.code(town.library, town.maria, "openid profile", first)
    hint = town.redeem(town.library, code, first).json["id_token"]
    code = browser.code(town.library, town.maria, "openid profile", proof)
    browser.get("/logout", query_string={"id_token_hint": hint})
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"


def test_other_sessions_of_the_resident_go_on(visit: tuple[Town, Browser, dict[str, Any]]) -> None:
    """Signing out on one device signs out that device."""
    town, browser, tokens = visit
    other = town.browser()
    other.code(town.library, town.maria, "openid profile", Proof())
    browser.get("/logout", query_string={"id_token_hint": tokens["id_token"]})
    assert _is_signed_in(town, other)


@pytest.mark.parametrize("fields", [{}, {"client_id": "library"}, {"id_token_hint": "x.y.z"}])
def test_without_proof_the_resident_is_asked_first(
    visit: tuple[Town, Browser, dict[str, Any]], fields: dict[str, str]
) -> None:
    """§2, K20: confirmed by a button; state and address survive the question."""
    town, browser, tokens = visit
    query = {"post_logout_redirect_uri": BYE, "state": "st", **fields}
    answer = browser.get("/logout", query_string=query)
    assert answer.status_code == 200
    assert 'id="logout-confirm"' in answer.text
    assert town.userinfo(tokens["access_token"]).status_code == 200
    answer = browser.submit("/logout")
    known = "client_id" in fields
    assert answer.headers["Location"] == (f"{BYE}?state=st" if known else "/logged-out")
    assert not _is_signed_in(town, browser)


def test_an_expired_hint_names_the_client_but_proves_nothing(
    visit: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """§2: expired ID tokens are accepted as hints; ending the session still takes the button."""
    town, browser, tokens = visit
    town.clock.advance(town.settings.tokens.id_token_for)
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    assert browser.get("/logout", query_string=query).status_code == 200
    assert _is_signed_in(town, browser)
    browser.get("/logout", query_string=query)
    assert browser.submit("/logout").headers["Location"] == BYE


def test_a_hint_of_another_session_ends_nothing_unasked(
    visit: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """Somebody else's ID token, or one's own of another device."""
    town, browser, _ = visit
    for person in (town.jun, town.maria):
        hint = town.tokens(town.library, person, "openid profile")["id_token"]
        assert browser.get("/logout", query_string={"id_token_hint": hint}).status_code == 200
        assert _is_signed_in(town, browser)


@pytest.mark.parametrize("target", ["https://evil.test/", f"{BYE}/", f"{BYE}?x=1", "/account", BYE.upper()])
def test_the_way_back_is_registered_byte_by_byte(
    visit: tuple[Town, Browser, dict[str, Any]], target: str
) -> None:
    """§3: MUST have been registered; otherwise a page says what is wrong, and nothing has ended (§4)."""
    town, browser, tokens = visit
    for proof in ({"id_token_hint": tokens["id_token"]}, {"client_id": "library"}):
        query = {**proof, "post_logout_redirect_uri": target, "state": "st"}
        answer = browser.get("/logout", query_string=query)
        assert answer.status_code == 400
        assert "invalid_request: post_logout_redirect_uri is not registered" in answer.text
        assert "You are still signed in" in answer.text
        assert _is_signed_in(town, browser)
    answer = town.browser().get("/logout", query_string=query)
    assert answer.status_code == 400
    assert "You are not signed in here" in answer.text


@pytest.mark.parametrize("hint", ["", "x.y.z", "{none}"])
def test_nobody_is_sent_anywhere_without_a_hint_or_a_client(
    visit: tuple[Town, Browser, dict[str, Any]], hint: str
) -> None:
    """§3: an address alone names no client; and one beside a hint that is none of ours is nobody's wish."""
    town, browser, tokens = visit
    if hint == "{none}":
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        hint = f"{head}.{tokens['id_token'].split('.')[1]}."
    query = {"post_logout_redirect_uri": BYE, "state": "st", **({"id_token_hint": hint} if hint else {})}
    if hint:
        query["client_id"] = "library"
    answer = browser.get("/logout", query_string=query)
    assert answer.status_code == 200
    assert browser.submit("/logout").headers["Location"] == "/logged-out"
    assert town.browser().get("/logout", query_string=query).headers["Location"] == "/logged-out"


def test_client_and_hint_must_agree(visit: tuple[Town, Browser, dict[str, Any]]) -> None:
    """§2: when both are present, the OP MUST verify that the hint was issued to this client."""
    town, browser, tokens = visit
    query = {"id_token_hint": tokens["id_token"], "client_id": "tax"}
    assert browser.get("/logout", query_string=query).status_code == 400
    assert _is_signed_in(town, browser)
    answer = browser.get("/logout", query_string={**query, "client_id": "library", "logout_hint": "maria"})
    assert answer.headers["Location"] == "/logged-out"


def test_the_page_speaks_the_language_that_the_client_asks_for(
    visit: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """§2: ui_locales, on the question and after it."""
    _, browser, _ = visit
    page = browser.get("/logout", query_string={"ui_locales": "xx fr-CA en"})
    assert '<html lang="fr"' in page.text
    assert 'name="ui_locales" value="xx fr-CA en"' in page.text


def test_signing_out_twice_is_no_mistake(visit: tuple[Town, Browser, dict[str, Any]]) -> None:
    """§4: it is idempotent; the second partner that asks gets its resident back as well."""
    _, browser, tokens = visit
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s" * 128}
    for _ in range(2):
        answer = browser.get("/logout", query_string=query)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{BYE}?state={'s' * 128}")


def test_a_client_may_post_its_wish(visit: tuple[Town, Browser, dict[str, Any]]) -> None:
    """§2: MUST support GET and POST; the hint is the proof there, too."""
    town, browser, tokens = visit
    form = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    answer = browser.post("/logout", form)
    assert (answer.status_code, answer.headers["Location"]) == (303, BYE)
    assert not _is_signed_in(town, browser)


def test_nobody_signed_in_is_sent_back_all_the_same(town: Town) -> None:
    """§4: there is nothing to confirm."""
    query = {"client_id": "library", "post_logout_redirect_uri": BYE}
    assert town.browser().get("/logout", query_string=query).headers["Location"] == BYE
    assert town.browser().get("/logout").headers["Location"] == "/logged-out"


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"])
def test_a_repeated_parameter_is_refused(visit: tuple[Town, Browser, dict[str, Any]], name: str) -> None:
    """One page that says so; the session lives."""
    town, browser, tokens = visit
    answer = browser.get(f"/logout?id_token_hint={tokens['id_token']}&{name}=x&{name}=x")
    assert answer.status_code == 400
    assert _is_signed_in(town, browser)


@pytest.mark.parametrize("response_type", ["id_token", "id_token token"])
def test_a_client_that_never_redeems_a_code_is_listed_and_told_as_well(
    town: Town, response_type: str
) -> None:
    """Profile legacy: what it got came through the browser alone, and so does the end (Front-Channel Logout 1.0 §3)."""
    details = Details(
        response_types=("id_token", "id_token token"), frontchannel_logout_uri="https://old.example/out"
    )
    old = town.add_client(new_client("old", details=details), required=("name",))
    town.fresh()
    browser = town.browser()
    query = parameters(old, scope="openid profile", response_type=response_type)
    browser.follow(browser.get(f"/authorize?{urlencode(query)}"))
    browser.follow(browser.sign_in(town.maria))
    claims = said_of(town, answer_parameters(browser.allow())["id_token"])
    for page in ("/account/devices", "/privacy"):
        assert "Service old" in browser.get(page).text
    browser.get("/logout")
    page = browser.submit("/logout").text
    (frame,) = re.findall(r'<iframe[^>]* src="([^"]*)"', page)
    told = dict(parse_qsl(urlsplit(html.unescape(frame)).query))
    assert told == {"iss": ISSUER, "sid": claims["sid"]}
