"""Plans `fapi2-security-profile-final`, `fapi2-message-signing-final` and client credentials: tokens, and who holds them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from joserfc.jwk import ECKey

from tests.conformance.fapi import Party
from tests.conformance.plans import CODE, CREDENTIALS, module
from tests.conformance.refusals import assert_not_pushed, assert_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from joserfc.jwk import RSAKey

    from tests.conformance.browser import Browser
    from tests.conformance.plans import Variant
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

ALL = [*CODE, *CREDENTIALS]


# --- who may have tokens ---


@module(of=ALL)
def test_ensure_client_id_in_token_endpoint(suite: Suite, browser: Browser, variant: Variant) -> None:
    """Presented as the second client, proven as the first: invalid_client, or invalid_grant for its code."""
    party, second = Party(suite, variant), Party(suite, variant, "2")
    form = party.grant(browser)
    assertion = None
    if variant.auth == "mtls":
        form = {**form, "client_id": second.client_id}
        assert_refused(party.token(form, as_is=True), "invalid_client", "invalid_grant")
        return
    assertion = party.assertion(iss=second.client_id, sub=second.client_id)
    assert_refused(party.token(form, assertion=assertion), "invalid_client", "invalid_grant")


@module(of=ALL)
def test_ensure_holder_of_key_required(suite: Suite, browser: Browser, variant: Variant) -> None:
    """Proven as the client, but without what its tokens are to be bound to."""
    party = Party(suite, variant)
    headers = party.shown(binds=False) if variant.bound == "dpop" else {}
    errors = ["invalid_request", "invalid_grant", "invalid_dpop_proof"]
    if variant.bound == "mtls":
        errors = ["invalid_client", "invalid_request"]
    assert_refused(party.token(party.grant(browser), headers=headers), *errors)


@module()
def test_ensure_authorization_code_is_bound_to_client(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """A code with another client's proof: invalid_grant."""
    party, second = Party(suite, variant), Party(suite, variant, "2")
    assert_refused(second.token(party.grant(browser)), "invalid_grant")


@module()
def test_attempt_reuse_authorization_code_after_one_second(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """invalid_grant, and the tokens of the first use are dead."""
    party = Party(suite, variant)
    form = party.grant(browser)
    tokens = party.checked(party.token(form))
    assert party.resource(tokens["access_token"]).status == 200
    suite.wait(1)
    assert_refused(party.token(form), "invalid_grant")
    assert party.resource(tokens["access_token"]).status == 401


@module()
def test_ensure_token_endpoint_fails_with_expired_auth_code(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 11: a code is good for a minute at most."""
    party = Party(suite, variant)
    form = party.grant(browser)
    suite.wait(62)
    assert_refused(party.token(form), "invalid_grant")


@module()
def test_ensure_pkce_code_verifier_required(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 7636 §4.6: invalid_grant."""
    party = Party(suite, variant)
    form = party.grant(browser)
    del form["code_verifier"]
    assert_refused(party.token(form), "invalid_grant")


@module()
def test_incorrect_pkce_code_verifier_rejected(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 7636 §4.6: invalid_grant."""
    party = Party(suite, variant)
    form = {**party.grant(browser), "code_verifier": secrets.token_urlsafe(32)}
    assert_refused(party.token(form), "invalid_grant")


@module()
def test_refresh_token(suite: Suite, browser: Browser, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.1 no. 9: it stays, with a new DPoP key, too; never without proof, never with another client's."""
    party, second = Party(suite, variant), Party(suite, variant, "2")
    request = party.request(prompt="consent")
    tokens = party.tokens(browser, request)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    suite.wait(1)
    party.dpop_key = ECKey.generate_key("P-256")
    refreshed = party.checked(party.token(form))
    assert party.resource(refreshed["access_token"]).status == 200
    if variant.openid:
        first, then = (suite.read_id_token(one["id_token"], "ES256") for one in (tokens, refreshed))
        assert all(first[name] == then[name] for name in ("iss", "sub", "aud", "auth_time"))
        assert then["iat"] > first["iat"]
    suite.wait(30)
    party.checked(party.token(form))
    unproven = party.shown(binds=False) if variant.bound == "dpop" else {}
    errors = ["invalid_client", "invalid_grant", "invalid_request"]
    assert_refused(party.token(form, headers=unproven), *errors)
    assert_refused(party.token(form, headers={}, as_is=True), *errors)
    assert_refused(second.token(form), "invalid_grant")


# --- assertions ---


@module(of=ALL, auth="private_key_jwt")
def test_ensure_client_assertion_in_token_endpoint(suite: Suite, browser: Browser, variant: Variant) -> None:
    """Nothing but a client_id proves no client."""
    party = Party(suite, variant)
    form = {**party.grant(browser), "client_id": party.client_id}
    assert_refused(party.token(form, as_is=True), "invalid_client", "invalid_request")


def _refused_assertion(suite: Suite, browser: Browser, variant: Variant, **change: Any) -> None:
    party = Party(suite, variant)
    form = party.grant(browser)
    got = party.token(form, assertion=party.assertion(**change))
    assert_refused(got, "invalid_client", "invalid_request")


@module(of=ALL, auth="private_key_jwt")
def test_ensure_signed_client_assertion_with_RS256_fails(  # noqa: N802 - the suite's name
    suite: Suite, browser: Browser, variant: Variant, rsa_key_of: Callable[[str], RSAKey]
) -> None:
    """FAPI 2.0 §5.4.1: skipped by the suite unless the client has an RSA key; the same key is good for PS256."""
    party = Party(suite, variant)
    key = rsa_key_of(party.client_id)
    _refused_assertion(suite, browser, variant, header={"alg": "RS256"}, key=key)
    good = party.assertion(header={"alg": "PS256"}, key=key)
    party.checked(party.token(party.grant(browser), assertion=good))


@module(of=ALL, auth="private_key_jwt")
def test_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 7523 §3."""
    _refused_assertion(suite, browser, variant, exp=int(suite.now()) - 300)


@module(of=ALL, auth="private_key_jwt")
def test_ensure_client_assertion_with_wrong_aud_fails(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 7523 §3."""
    _refused_assertion(suite, browser, variant, aud="https://other1.example.com/invalid")


@module(of=ALL, auth="private_key_jwt")
def test_ensure_client_assertion_with_no_sub_fails(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 7523 §3."""
    _refused_assertion(suite, browser, variant, sub=None)


def _pushed_with(suite: Suite, variant: Variant, **change: Any) -> Got:
    party = Party(suite, variant)
    return party.push(party.request(), assertion=party.assertion(**change))


@module(auth="private_key_jwt")
def test_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    suite: Suite, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 14: clocks differ."""
    ahead = int(suite.now()) + 8
    assert _pushed_with(suite, variant, iat=ahead, nbf=ahead).status == 201


@module(auth="private_key_jwt")
def test_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(
    suite: Suite, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 14: but not by more than a minute."""
    ahead = int(suite.now()) + 70
    got = _pushed_with(suite, variant, iat=ahead, nbf=ahead, exp=ahead + 60)
    assert_not_pushed(got, "invalid_client", "invalid_request")


@module(auth="private_key_jwt")
def test_par_test_array_as_audience_fails(suite: Suite, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.1 no. 8: the issuer, and as a text."""
    for audience in ([suite.issuer, "https://other1.example.com"], [suite.issuer]):
        got = _pushed_with(suite, variant, aud=audience)
        assert_not_pushed(got, "invalid_client", "invalid_request")


@module(auth="private_key_jwt")
def test_par_test_par_endpoint_url_as_audience_fails(suite: Suite, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.1 no. 8."""
    url = Party(suite, variant).address("pushed_authorization_request_endpoint")
    assert_not_pushed(_pushed_with(suite, variant, aud=url), "invalid_client", "invalid_request")


@module(auth="private_key_jwt")
def test_par_test_token_endpoint_url_as_audience_fails(suite: Suite, variant: Variant) -> None:
    """FAPI 2.0 §5.3.2.1 no. 8."""
    url = Party(suite, variant).address("token_endpoint")
    assert_not_pushed(_pushed_with(suite, variant, aud=url), "invalid_client", "invalid_request")
