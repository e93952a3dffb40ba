"""Plan `oidcc-basic-certification-test-plan`, static clients. Modules of request objects stand in files of their own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from admin.sandbox.conformance.resident import CLAIMS
from tests.conformance.suite import refusal
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.conformance.suite import Suite

PROFILE = {name for name in CLAIMS if name not in {"phone_number", "address"}} | {"name", "updated_at"}
OF_SCOPE = {
    "profile": PROFILE,
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}


def test_oidcc_server(suite: Suite) -> None:
    """A whole flow with client_secret_basic, with all that every module checks (§3.2)."""
    suite.client().sign_in(suite.browser())


def test_oidcc_server_client_secret_post(suite: Suite) -> None:
    """The same with client_secret_post; both ways are advertised."""
    suite.client("post").sign_in(suite.browser())


def test_oidcc_response_type_missing(suite: Suite) -> None:
    """Refused by redirect with unsupported_response_type or invalid_request."""
    client = suite.client()
    request = client.request(response_type=None)
    arrival = suite.browser().visit(suite.metadata["authorization_endpoint"], request)
    assert refusal(arrival, request) in {"unsupported_response_type", "invalid_request"}


def test_oidcc_idtoken_signature(suite: Suite) -> None:
    """The ID token is signed with a published key that its header names."""
    suite.client().sign_in(suite.browser())


def test_oidcc_idtoken_unsigned(suite: Suite) -> None:
    """Skipped by the suite where `none` is not advertised, as here; a client cannot register for it either."""
    assert "none" not in suite.metadata["id_token_signing_alg_values_supported"]
    assert suite.register({"id_token_signed_response_alg": "none"}).status == 400


@pytest.mark.parametrize("way", ["GET", "POST", "body"], ids=["get", "post_header", "post_body"])
def test_oidcc_userinfo(suite: Suite, way: str) -> None:
    """oidcc-userinfo-get, -post-header, -post-body: JSON, with the sub of the ID token."""
    found = suite.client().sign_in(suite.browser())
    got = suite.userinfo(found.tokens["access_token"], way=way)
    assert got.status == 200
    assert got.json["sub"] == found.claims["sub"]


def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(suite: Suite) -> None:
    """OIDC Core §3.1.2.1: nonce is optional here, and then the ID token has none."""
    client = suite.client()
    found = client.sign_in(suite.browser(), client.request(nonce=None))
    assert "nonce" not in found.claims


@pytest.mark.parametrize("scope", OF_SCOPE)
def test_oidcc_scope(suite: Suite, scope: str) -> None:
    """oidcc-scope-profile, -email, -address, -phone: every claim of the scope at userinfo, with its type, and no other."""
    client = suite.client()
    found = client.sign_in(suite.browser(), client.request(f"openid {scope}"))
    told = suite.userinfo(found.tokens["access_token"]).json
    assert set(told) == {"sub", *OF_SCOPE[scope]}
    _check_types(told)


def test_oidcc_scope_all(suite: Suite) -> None:
    """oidcc-scope-all: everything at once."""
    client = suite.client()
    found = client.sign_in(suite.browser(), client.request(f"openid {' '.join(OF_SCOPE)}"))
    told = suite.userinfo(found.tokens["access_token"]).json
    assert set(told) == {"sub"}.union(*OF_SCOPE.values())
    _check_types(told)


def _check_types(told: dict[str, object]) -> None:
    """OIDC Core §5.1: texts that are not empty, a date, truth values, a number, an object."""
    for name, value in told.items():
        if name.endswith("_verified"):
            assert value is True, name
        elif name == "updated_at":
            assert isinstance(value, int)
        elif name == "address":
            assert isinstance(value, dict)
            assert value
        else:
            assert isinstance(value, str), name
            assert value, name


def test_oidcc_alternate_happy_flow(suite: Suite) -> None:
    """RFC 6749 §3.3: neither the order of scopes nor that of parameters matters."""
    client = suite.client()
    request = client.request("email openid")
    found = client.sign_in(suite.browser(), dict(reversed(request.items())))
    assert "email" in suite.userinfo(found.tokens["access_token"]).json


@pytest.mark.parametrize(
    "extra",
    [{"display": "page"}, {"display": "popup"}, {"ui_locales": "se"}, {"claims_locales": "se"}],
    ids=["display_page", "display_popup", "ui_locales", "claims_locales"],
)
def test_oidcc_preference(suite: Suite, extra: dict[str, str]) -> None:
    """oidcc-display-page, -display-popup, -ui-locales, -claims-locales: what cannot be met is no error."""
    client = suite.client()
    client.sign_in(suite.browser(), client.request("openid profile", **extra))


def test_oidcc_login_hint(suite: Suite) -> None:
    """OIDC Core §3.1.2.1: the suite hints at `buffy@` and the issuer's host; any resident may sign in."""
    client = suite.client()
    client.sign_in(suite.browser(), client.request(login_hint="buffy@denizen.test"))


def test_oidcc_ensure_request_with_unknown_parameter_succeeds(suite: Suite) -> None:
    """RFC 6749 §3.1: unknown parameters are ignored."""
    client = suite.client()
    client.sign_in(suite.browser(), client.request(extra="foobar"))


def test_oidcc_ensure_request_with_valid_pkce_succeeds(suite: Suite) -> None:
    """RFC 7636: a challenge is not in the way, and is then demanded at the token endpoint."""
    client, proof, browser = suite.client(), Proof(), suite.browser()
    request = client.request(code_challenge=proof.challenge, code_challenge_method="S256")
    endpoint = suite.metadata["authorization_endpoint"]
    code = client.answered(browser.visit(endpoint, request), request)
    assert client.redeem(code).json["error"] == "invalid_grant"
    code = client.answered(browser.visit(endpoint, request), request)
    client.checked(client.redeem(code, code_verifier=proof.verifier), request, code)


def test_oidcc_ensure_request_with_acr_values_succeeds(suite: Suite) -> None:
    """The request succeeds, and the level that was reached is one of those asked for."""
    client = suite.client()
    wanted = suite.metadata["acr_values_supported"]
    found = client.sign_in(suite.browser(), client.request(acr_values=" ".join(wanted)))
    assert found.claims["acr"] in wanted
    client.sign_in(suite.browser(), client.request(acr_values="1 2"))


def test_oidcc_ensure_post_request_succeeds(suite: Suite) -> None:
    """OIDC Core §3.1.2.1: authorization requests come by POST, too."""
    client = suite.client()
    client.sign_in(suite.browser(), client.request(), method="POST")


def test_oidcc_ensure_registered_redirect_uri(suite: Suite) -> None:
    """A page that says what is wrong at the endpoint itself, and never a redirect."""
    client, browser = suite.client(), suite.browser()
    uri = f"{client.redirect_uri}/{secrets.token_urlsafe(8)}"
    arrival = browser.visit(suite.metadata["authorization_endpoint"], client.request(redirect_uri=uri))
    assert arrival.page is not None
    assert arrival.page.status == 400
    assert arrival.url.startswith(suite.metadata["authorization_endpoint"])
    assert "redirect_uri" in arrival.page.text


def test_oidcc_prompt_login(suite: Suite) -> None:
    """A second sign-in is demanded, and auth_time is later than the first."""
    client, browser = suite.client(), suite.browser()
    first = client.sign_in(browser)
    suite.wait(1)
    second = client.sign_in(browser, client.request(prompt="login"))
    assert browser.sign_ins == 2
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert second.claims["sub"] == first.claims["sub"]


def test_oidcc_prompt_none_not_logged_in(suite: Suite) -> None:
    """Without a session an error comes back, with a state of 128 letters intact and no code."""
    client = suite.client()
    request = client.request(prompt="none", state=secrets.token_urlsafe(96))
    assert len(request["state"]) == 128
    browser = suite.browser()
    arrival = browser.visit(suite.metadata["authorization_endpoint"], request)
    expected = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
    assert refusal(arrival, request) in expected
    assert browser.pages == []


def test_oidcc_prompt_none_logged_in(suite: Suite) -> None:
    """With a session it succeeds without a page, for the same person at the same time."""
    client, browser = suite.client(), suite.browser()
    first = client.sign_in(browser)
    seen = len(browser.pages)
    suite.wait(1)
    second = client.sign_in(browser, client.request(prompt="none"))
    assert len(browser.pages) == seen
    assert (second.claims["sub"], second.claims["auth_time"]) == (
        first.claims["sub"],
        first.claims["auth_time"],
    )


def test_oidcc_id_token_hint(suite: Suite) -> None:
    """prompt=none with the ID token of before as a hint."""
    client, browser = suite.client(), suite.browser()
    first = client.sign_in(browser)
    request = client.request(prompt="none", id_token_hint=first.tokens["id_token"])
    assert client.sign_in(browser, request).claims["sub"] == first.claims["sub"]


def test_oidcc_max_age_1(suite: Suite) -> None:
    """After two seconds max_age=1 demands a new sign-in, and the ID token says when that was."""
    client, browser = suite.client(), suite.browser()
    first = client.sign_in(browser)
    suite.wait(2)
    second = client.sign_in(browser, client.request(max_age="1"))
    assert browser.sign_ins == 2
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert suite.now() - second.claims["auth_time"] < 60


def test_oidcc_max_age_10000(suite: Suite) -> None:
    """A young sign-in serves; auth_time stands in both ID tokens and is the same."""
    client, browser = suite.client(), suite.browser()
    first = client.sign_in(browser, client.request(max_age="15000"))
    suite.wait(1)
    second = client.sign_in(browser, client.request(max_age="10000"))
    assert browser.sign_ins == 1
    assert second.claims["auth_time"] == first.claims["auth_time"]


def test_oidcc_claims_essential(suite: Suite) -> None:
    """OIDC Core §5.5: `name` asked for as essential comes with userinfo, and does not stand in the ID token."""
    client = suite.client()
    claims = '{"userinfo":{"name":{"essential":true}}}'
    found = client.sign_in(suite.browser(), client.request(claims=claims))
    assert "name" not in found.claims
    assert suite.userinfo(found.tokens["access_token"]).json["name"]


@pytest.mark.parametrize("after", [0, 30], ids=["codereuse", "codereuse_30seconds"])
def test_oidcc_codereuse(suite: Suite, after: int) -> None:
    """oidcc-codereuse, -codereuse-30seconds: 400 invalid_grant, and the tokens of the first use are dead."""
    client = suite.client()
    found = client.sign_in(suite.browser())
    assert suite.userinfo(found.tokens["access_token"]).status == 200
    suite.wait(after)
    got = client.redeem(found.code)
    assert (got.status, got.json["error"]) == (400, "invalid_grant")
    assert suite.userinfo(found.tokens["access_token"]).status == 401


def test_oidcc_refresh_token(suite: Suite) -> None:
    """The refreshed ID token is of the same sign-in with a new iat; the token is of no use to another client."""
    assert "refresh_token" in suite.metadata["grant_types_supported"]
    client, other, browser = suite.client(), suite.client("basic-2"), suite.browser()
    request = client.request("openid offline_access", prompt="consent")
    first = client.sign_in(browser, request)
    suite.wait(1)
    refreshed = client.checked(client.refresh(first.tokens["refresh_token"]), request)
    for name in ("iss", "sub", "aud", "auth_time", "azp"):
        assert refreshed.claims.get(name) == first.claims.get(name), name
    assert refreshed.claims["iat"] > first.claims["iat"]
    assert suite.userinfo(refreshed.tokens["access_token"]).status == 200
    token = refreshed.tokens.get("refresh_token", first.tokens["refresh_token"])
    got = other.refresh(token)
    assert (got.status, got.json["error"]) == (400, "invalid_grant")
