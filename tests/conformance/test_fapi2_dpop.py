"""Plans `fapi2-security-profile-final`, `fapi2-message-signing-final` and client credentials: DPoP."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.conformance.fapi import Party
from tests.conformance.plans import CODE, CREDENTIALS, PROFILE, module
from tests.conformance.refusals import assert_not_pushed, assert_refused
from tests.support.proving import b64

if TYPE_CHECKING:
    from tests.conformance.browser import Browser
    from tests.conformance.plans import Variant
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

ALL = [*CODE, *CREDENTIALS]
REFUSED = {400, 401}


def _flow_with(suite: Suite, browser: Browser, variant: Variant, **change: Any) -> None:
    """A whole flow whose proofs are all changed in the same way."""
    party = Party(suite, variant)
    par, token = party.address("pushed_authorization_request_endpoint"), party.address("token_endpoint")
    pushing = {} if variant.credentials else {"headers": _with(party, party.proven(par, **change))}
    form = party.grant(browser, **pushing)
    tokens = party.checked(party.token(form, headers=_with(party, party.proven(token, **change), binds=True)))
    assert party.resource(tokens["access_token"], **change).status == 200


def _with(party: Party, proof: dict[str, str], *, binds: bool = False) -> dict[str, str]:
    return {**party.shown(binds=binds), **proof}


@module(of=ALL, bound="dpop")
def test_check_dpop_proof_nbf_exp(suite: Suite, browser: Browser, variant: Variant) -> None:
    """Claims that a proof need not have are no error."""
    now = int(suite.now())
    _flow_with(suite, browser, variant, nbf=now, exp=now + 300)


@module(of=ALL, bound="dpop")
def test_ensure_dpopproof_with_iat_10seconds_before_succeeds(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 14."""
    _flow_with(suite, browser, variant, iat=int(suite.now()) - 10)


@module(of=ALL, bound="dpop")
def test_ensure_dpopproof_with_iat_10seconds_after_succeeds(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """FAPI 2.0 §5.3.2.1 no. 14."""
    _flow_with(suite, browser, variant, iat=int(suite.now()) + 10)


@module(bound="dpop")
def test_ensure_mismatched_dpop_jkt_fails(suite: Suite, variant: Variant) -> None:
    """RFC 9449 §10.1: dpop_jkt of another key than that of the proof."""
    party = Party(suite, variant)
    url = party.address("pushed_authorization_request_endpoint")
    request = party.request(dpop_jkt=ECKey.generate_key("P-256").thumbprint())
    got = party.push(request, headers=party.proven(url))
    assert_not_pushed(got, "invalid_request", "invalid_dpop_proof")


_MISMATCH = ("invalid_request", "invalid_grant", "invalid_dpop_proof")


@module(bound="dpop")
def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 9449 §10.1: one key when it was pushed, another when the code is redeemed."""
    party = Party(suite, variant)
    url = party.address("pushed_authorization_request_endpoint")
    form = party.grant(browser, headers=party.proven(url))
    party.dpop_key = ECKey.generate_key("P-256")
    assert_refused(party.token(form), *_MISMATCH)


@module(bound="dpop")
def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 9449 §10: dpop_jkt of another key than redeems the code."""
    party = Party(suite, variant)
    form = party.grant(browser, party.request(dpop_jkt=ECKey.generate_key("P-256").thumbprint()))
    assert_refused(party.token(form), *_MISMATCH)


@module(bound="dpop")
def test_ensure_dpopproof_at_par_endpoint_binding_success(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 9449 §10.1: the same key both times."""
    party = Party(suite, variant)
    party.tokens(browser, headers=party.proven(party.address("pushed_authorization_request_endpoint")))


@module(bound="dpop")
def test_ensure_dpop_auth_code_binding_success(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9449 §10: dpop_jkt, the proof that goes with it, and the token, all of one key."""
    party = Party(suite, variant)
    headers = party.proven(party.address("pushed_authorization_request_endpoint"))
    party.tokens(browser, party.request(dpop_jkt=party.dpop_key.thumbprint()), headers=headers)


#: Proofs that the resource must refuse, each as what is changed in a good one.
BAD: dict[str, dict[str, Any]] = {
    "typ is missing": {"header": {"typ": None}},
    "typ of another kind": {"header": {"typ": "jwt"}},
    "jwk is missing": {"header": {"jwk": None}},
    "jwk is private": {},
    "jti is missing": {"jti": None},
    "htm is missing": {"htm": None},
    "htm of another method": {"htm": "PUT"},
    "htu is missing": {"htu": None},
    "htu of another place": {"htu": "https://example.com/resource"},
    "iat is missing": {"iat": None},
    "ath is missing": {"ath": None},
    "ath of another token": {"ath": b64(secrets.token_bytes(32))},
}
_HOUR = 3600


def _texts(party: Party, token: str) -> dict[str, str]:
    """More that must be refused, as texts of the header."""

    def proof(**change: Any) -> str:
        return party.proven(party.resource_url, "GET", token=token, **change)["DPoP"]

    good, now = proof(), int(party.suite.now())
    head, body, signature = good.split(".")
    without_alg = b64(json.dumps({"typ": "dpop+jwt", "jwk": party.dpop_key.as_dict(private=False)}).encode())
    none = b64(
        json.dumps({"typ": "dpop+jwt", "alg": "none", "jwk": party.dpop_key.as_dict(private=False)}).encode()
    )
    return {
        "two proofs": f"{good}, {proof()}",
        "no JWT": f"{good[:-40]}%%",
        "alg is missing": f"{without_alg}.{body}.{signature}",
        "alg is none": f"{none}.{body}.",
        "a signature that is none": f"{head}.{body}.{b64(secrets.token_bytes(64))}",
        "another key": proof(key=ECKey.generate_key("P-256")),
        "an hour ahead": proof(iat=now + _HOUR),
        "an hour ago": proof(iat=now - _HOUR),
        "no proof": "",
    }


def _check_weak_algorithm(party: Party, browser: Browser) -> None:
    """A token that is bound to an RSA key by PS256 is not to be had with RS256 of the same key (FAPI 2.0 §5.4.1)."""
    party.dpop_key = RSAKey.generate_key(2048)
    proof = party.proven(party.address("token_endpoint"), alg="PS256")
    got = party.token(party.grant(browser), headers={**party.shown(binds=True), **proof})
    token = party.checked(got)["access_token"]
    assert party.resource(token, alg="PS256").status == 200
    assert party.resource(token, alg="RS256").status in REFUSED


@module(of=ALL, bound="dpop")
def test_dpop_negative_tests(suite: Suite, browser: Browser, variant: Variant) -> None:
    """RFC 9449 §4.3, §7.1, point by point; what must be passed over is passed over; a good proof works before and after."""
    party = Party(suite, variant)
    token = party.tokens(browser)["access_token"]
    private = {"jwk": party.dpop_key.as_dict(private=True)}
    for name, change in {**BAD, "jwk is private": {"header": private}}.items():
        assert party.resource(token, **change).status in REFUSED, name
    for name, text in _texts(party, token).items():
        assert party.resource(token, headers={"DPoP": text}).status in REFUSED, name
    no_key = RSAKey.generate_key(2048)
    assert party.resource(token, key=no_key, alg="PS256").status in REFUSED
    assert party.resource(token, headers={}, scheme="Bearer").status in REFUSED
    assert party.resource(token, scheme="Bearer").status in REFUSED
    again = {"jti": "always the same"}
    assert [party.resource(token, **again).status for _ in range(2)] in ([200, 401], [200, 400])
    url = party.resource_url
    host = url.removeprefix("https://").partition("/")[0]
    usual_port = url.replace(host, f"{host}:443") if ":" not in host else url
    for good in (
        {"htu": f"{url}?query=x#fragment"},
        {"htu": url.replace("https://", "HTTPS://").replace(host, host.upper())},
        {"htu": usual_port},
        {"header": {"extra": "x"}, "other": {"a": 1}},
        {},
    ):
        assert party.resource(token, **good).status == 200, good
    _check_weak_algorithm(party, browser)


# --- what the suite does around its modules ---


def _again(got: Got, status: int) -> str:
    """The nonce of an answer that asks for one (RFC 9449 §8, §9)."""
    assert (got.status, got.json["error"]) == (status, "use_dpop_nonce"), got.text
    assert "no-store" in got.headers["cache-control"]
    if status == 401:
        assert 'error="use_dpop_nonce"' in got.headers["www-authenticate"]
    return got.headers["dpop-nonce"]


@pytest.mark.parametrize("variant", [one for one in PROFILE if one.bound == "dpop" and one.openid], ids=str)
def test_a_proof_is_made_again_with_the_nonce_that_is_asked_for(
    suite: Suite, browser: Browser, variant: Variant
) -> None:
    """RFC 9449 §8, §9: at every endpoint the same request goes through with it; nothing was spent the first time."""
    party = Party(suite, variant)
    par, token = party.address("pushed_authorization_request_endpoint"), party.address("token_endpoint")
    request = party.request()
    nonce = _again(party.push(request, headers=_with(party, party.proven(par, nonce="old"))), 400)
    uri = party.pushed(request, headers=_with(party, party.proven(par, nonce=nonce)))
    form = party.redeemed(party.answered(party.visit(browser, request, uri), request))
    refused = party.token(form, headers=_with(party, party.proven(token, nonce="old"), binds=True))
    nonce = _again(refused, 400)
    got = party.token(form, headers=_with(party, party.proven(token, nonce=nonce), binds=True))
    assert got.headers["dpop-nonce"] == nonce
    tokens = party.checked(got, request)
    nonce = _again(party.resource(tokens["access_token"], nonce="old"), 401)
    found = party.resource(tokens["access_token"], nonce=nonce)
    assert (found.status, found.headers["dpop-nonce"]) == (200, nonce)
