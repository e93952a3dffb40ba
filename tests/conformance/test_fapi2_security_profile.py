"""Plans `fapi2-security-profile-final` and, for what both have, `fapi2-message-signing-final`: flows that succeed.

The other modules stand in the files beside this one, by what they try; `test_fapi2_message_signing.py` counts them.
Signed requests and answers run through all of them, too.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.browser import Browser
from tests.conformance.client import OF_SCOPE
from tests.conformance.fapi import CLIENT_CERT, Party
from tests.conformance.pages import form_with
from tests.conformance.plans import CODE, CREDENTIALS, Variant, module

if TYPE_CHECKING:
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

STRONG = {"PS256", "ES256", "EdDSA", "Ed25519"}


# --- discovery, and flows that succeed ---


@module(of=[*CODE, *CREDENTIALS])
def test_discovery_end_point_verification(suite: Suite, variant: Variant) -> None:
    """The algorithms and methods of the profile, PAR, S256, `iss` in answers, bound tokens, aliases of known endpoints."""
    well_known = "openid-configuration" if variant.openid else "oauth-authorization-server"
    told = suite.send("GET", f"{suite.issuer}/.well-known/{well_known}").json
    assert told["issuer"] == suite.issuer
    for what in ("id_token", "token_endpoint_auth", "request_object", "dpop", "userinfo"):
        assert STRONG & set(told[f"{what}_signing_alg_values_supported"])
    methods = set(told["token_endpoint_auth_methods_supported"])
    by_certificate = {"tls_client_auth", "self_signed_tls_client_auth"}
    assert methods & (by_certificate if variant.auth == "mtls" else {"private_key_jwt"})
    assert "S256" in told["code_challenge_methods_supported"]
    assert "code" in told["response_types_supported"]
    assert {"authorization_code", "client_credentials"} <= set(told["grant_types_supported"])
    assert told["pushed_authorization_request_endpoint"].startswith("https://")
    assert isinstance(told["require_pushed_authorization_requests"], bool)
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["tls_client_certificate_bound_access_tokens"] is True
    aliases = told["mtls_endpoint_aliases"]
    assert all(name in told and name.endswith("_endpoint") for name in aliases)
    assert "authorization_endpoint" not in aliases
    if variant.jarm:
        assert "jwt" in told["response_modes_supported"]
        assert STRONG & set(told["authorization_signing_alg_values_supported"])
    if variant.rar:
        types = {one["type"] for one in Party(suite, variant).permission}
        assert types <= set(told["authorization_details_types_supported"])


@module(of=[*CODE, *CREDENTIALS])
def test_happy_flow(suite: Suite, variant: Variant) -> None:
    """Two clients, fresh browsers; tokens bound to their holder; no token in an address; another's token is of no use.

    The second client has a query in its redirect URI, a nonce of 43 letters, and names its DPoP key by `dpop_jkt` alone.
    """
    first, second = Party(suite, variant), Party(suite, variant, "2")
    mine = first.tokens(suite.browser())
    assert first.resource(mine["access_token"]).status == 200
    for query in (f"?access_token={mine['access_token']}",):
        assert first.resource(mine["access_token"], query=query).status in {400, 401}
    change: dict[str, str | None] = {}
    if variant.bound == "dpop":
        change["dpop_jkt"] = second.dpop_key.thumbprint()
    if variant.openid:
        change["nonce"] = secrets.token_urlsafe(32)
    theirs = second.tokens(suite.browser(), second.request(**change))
    assert second.resource(theirs["access_token"]).status == 200
    assert first.resource(theirs["access_token"]).status in {400, 401}


class Refusing(Browser):
    """One in which the resident turns back at the sign-in page."""

    def _act(self, got: Got) -> Got | None:
        if form_with(got.text, "login-cancel") is None:
            return None
        arrival = self.press(got, "login-cancel")
        assert arrival.page is None
        return replace(got, headers={**got.headers, "location": arrival.url})


@module()
def test_user_rejects_authentication(suite: Suite, variant: Variant) -> None:
    """access_denied at the redirect URI, with a state of 128 letters; for both clients."""
    for ending in ("", "2"):
        party, browser = Party(suite, variant, ending), Refusing(**vars(suite.browser()))
        request = party.request(state=secrets.token_urlsafe(96))
        arrival = party.visit(browser, request, party.pushed(request))
        assert party.refused(arrival, request) == "access_denied"


@module()
def test_ensure_authorization_request_without_state_success(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """No state was sent, so that none comes back, and no s_hash."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(state=None))


@module(openid=True)
def test_ensure_authorization_request_without_nonce_success(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """Optional for response_type=code."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(nonce=None))


@module(openid=True)
def test_ensure_authorization_request_with_64_char_nonce_success(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.2 no. 14: returned as it was."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(nonce=secrets.token_urlsafe(48)))


@module(openid=True)
def test_ensure_authorization_request_with_long_nonce(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """384 letters: returned as they were, or refused by invalid_request; never cut off."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(nonce=secrets.token_urlsafe(288)))


@module()
def test_ensure_authorization_request_with_long_state(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """1000 letters: returned as they were; refusing them would be a warning."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(state=secrets.token_urlsafe(750)))


@module(openid=True)
def test_ensure_other_scope_order_succeeds(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 6749 §3.3."""
    party = Party(suite, variant)
    party.tokens(browser, party.request(scope=" ".join(reversed(party.told["scope"].split()))))


@module()
def test_par_without_duplicate_parameters(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9101 §5: client_id and request_uri are enough."""
    party = Party(suite, variant)
    party.is_second = True
    party.tokens(browser)


# --- what stands beside the reference counts for nothing ---


@module(openid=True)
def test_ensure_different_nonce_inside_and_outside_request_object(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """The nonce that was pushed is in the ID token, or invalid_request."""
    party = Party(suite, variant)
    request = party.request()
    arrival = party.visit(browser, request, party.pushed(request), nonce="another")
    party.checked(party.token(party.redeemed(party.answered(arrival, request))), request)


@module()
def test_ensure_different_state_inside_and_outside_request_object(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """The state that was pushed comes back, or invalid_request."""
    party = Party(suite, variant)
    request = party.request()
    party.answered(party.visit(browser, request, party.pushed(request), state="another"), request)


@module()
def test_state_only_outside_request_object_not_used(suite: Suite, browser: Browser, variant: Variant) -> None:
    """A state that was not pushed does not come back."""
    party = Party(suite, variant)
    request = party.request(state=None)
    party.answered(party.visit(browser, request, party.pushed(request), state="another"), request)


@module()
def test_ensure_unsigned_authorization_request_without_using_par_fails(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """A request that was not pushed: invalid_request, at the client or on a page."""
    party = Party(suite, variant)
    request = party.request()
    arrival = browser.visit(suite.metadata["authorization_endpoint"], request)
    assert party.refused(arrival, request) == "invalid_request"


# --- at the protected resource ---


@module(of=[*CODE, *CREDENTIALS])
def test_access_token_type_header_case_sensitivity(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9110 §11.1: the scheme in any letters."""
    party = Party(suite, variant)
    tokens = party.tokens(browser)
    scheme = tokens["token_type"].swapcase()
    assert party.resource(tokens["access_token"], scheme=scheme).status == 200


@module(openid=True)
def test_test_claims_parameter_identity_claims(suite: Suite, browser: Browser, variant: Variant) -> None:
    """Every standard claim that is supported, asked for in every way, is told; what nobody knows is passed over."""
    assert suite.metadata["claims_parameter_supported"] is True
    party = Party(suite, variant)
    wanted = set().union(*OF_SCOPE.values()) & set(suite.metadata["claims_supported"])
    ways: list[Any] = [None, {"essential": False}, {"essential": True}]
    asked = {name: ways[at % 3] for at, name in enumerate(sorted(wanted))}
    unknown = {secrets.token_hex(8): None, f"!$%&/()=?{secrets.token_hex(4)}": {"essential": True}}
    claims = json.dumps({"id_token": {**asked, **unknown}, "userinfo": {**asked, **unknown}})
    got = party.token(party.grant(browser, party.request(claims=claims)))
    assert got.status == 200, got.text
    tokens = got.json
    told = party.resource(tokens["access_token"])
    assert told.status == 200
    in_token = suite.read_id_token(tokens["id_token"], "ES256")
    assert told.json["sub"] == in_token["sub"]
    assert wanted <= told.json.keys() | in_token.keys()
    assert not unknown.keys() & (told.json.keys() | in_token.keys())


@pytest.mark.parametrize("variant", [one for one in CODE if one.bound == "mtls"], ids=str)
def test_a_bound_token_is_of_no_use_without_its_certificate(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 8705 §3: not without one, not with the other client's. Part of the happy flow of the plans."""
    party, second = Party(suite, variant), Party(suite, variant, "2")
    token = party.tokens(browser)["access_token"]
    assert party.resource(token, headers={}).status in {400, 401}
    assert party.resource(token, headers={CLIENT_CERT: second.certificate}).status in {400, 401}
    assert party.resource(token).status == 200
