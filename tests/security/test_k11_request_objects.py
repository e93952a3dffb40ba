"""K11 for request objects: nothing that one says about its own algorithm or key is believed, and no other JWT is one."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import pytest

from tests.security.test_k11_keys_of_clients import ALGORITHMS, EVIL, KIDS, OWN, _public_texts
from tests.support.proving import TYPE, Prover, b64, dpop, jwks, key_for
from tests.support.settled import footprint
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import Proof, answer_parameters

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.proving import Proving


def _parts(proving: Proving) -> tuple[dict[str, str], str, str]:
    """Header, payload and signature of a request object that would be good."""
    prover = proving.provers["pkjwt"]
    _, payload, signature = prover.request_object(proving.now, Proof()).split(".")
    return {"alg": "ES256", "kid": prover.key.kid, "typ": "JWT"}, payload, signature


def _is_refused(proving: Proving, request: str) -> bool:
    """At the front door and at the push alike; nothing is written."""
    prover, before = proving.provers["pkjwt"], footprint(proving.town)
    query = {"client_id": "pkjwt", "redirect_uri": prover.partner.redirect_uri, "request": request}
    found = answer_parameters(proving.browser.post("/authorize", query))
    pushed = proving.post("/par", proving.authenticated(prover, {"request": request}))
    errors = {found.get("error"), pushed.json.get("error")}
    return errors == {"invalid_request_object"} and footprint(proving.town) == before


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_algorithm_of_the_senders_choice_signs_no_request(proving: Proving, alg: str) -> None:
    """RFC 9101 §10.1, RFC 8725 §3.1, OIDC Core §6.1: `none` is never accepted, however it is written."""
    header, payload, signature = _parts(proving)
    head = b64(json.dumps({**header, "alg": alg}).encode())
    for one in ("", b64(b"\0"), signature):
        assert _is_refused(proving, f"{head}.{payload}.{one}")


def test_a_public_key_signs_no_request(proving: Proving) -> None:
    """HS256 keyed with a public key of the client's or of ours, in any form."""
    header, payload, _ = _parts(proving)
    head = b64(json.dumps({**header, "alg": "HS256"}).encode())
    for secret in _public_texts(proving):
        mac = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        assert _is_refused(proving, f"{head}.{payload}.{b64(mac)}")


def test_a_key_in_the_header_of_a_request_is_not_used(proving: Proving, tmp_path: Path) -> None:
    """RFC 8725 §3.10: jwk, jku and x5u, with a listener that must stay untouched; kid is a name alone."""
    hits: list[str] = []

    def respond(_method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        hits.append(path)
        return 200, {"Content-Type": "application/json"}, json.dumps(jwks(EVIL)).encode()

    prover = proving.provers["pkjwt"]
    with HttpsServer(make_authority(tmp_path), respond) as server:
        for header in (
            {"jwk": EVIL.as_dict(private=False)},
            {"jku": f"{server.url}/jwks"},
            {"x5u": f"{server.url}/x5u"},
            *({"kid": kid} for kid in KIDS),
        ):
            forged = prover.request_object(proving.now, Proof(), key=EVIL, header=header)
            assert _is_refused(proving, forged), header
    assert hits == []


def test_no_other_token_of_a_client_is_a_request(proving: Proving) -> None:
    """RFC 9101 §10.8: an assertion or a proof that was caught, with the parameters of a request put in, too."""
    prover = proving.provers["pkjwt"]
    parameters = prover.partner.request("openid", Proof())
    assert _is_refused(proving, prover.assertion(proving.now))
    assert _is_refused(proving, prover.assertion(proving.now, **parameters))
    assert _is_refused(proving, prover.assertion(proving.now, header={"typ": "JWT"}, **parameters))
    assert _is_refused(proving, dpop(key_for("ES256"), now=proving.now, **parameters))


def test_a_request_is_no_assertion(proving: Proving) -> None:
    """The other way round: whoever sees a request in an address bar cannot authenticate with it."""
    prover = proving.provers["pkjwt"]
    for header, change in (({}, {}), ({"typ": "JWT"}, {}), ({"typ": None}, {"jti": "x", "sub": "library"})):
        request = prover.request_object(proving.now, Proof(), header=header, **change)
        form = {**OWN, "client_assertion_type": TYPE, "client_assertion": request, "client_id": "pkjwt"}
        answer = proving.post("/token", form)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_a_request_is_good_for_the_client_that_signed_it_alone(proving: Proving) -> None:
    """Two clients with one key: what one signed for its address is not the other's (RFC 9101 §10.4)."""
    pkjwt, fapi = proving.provers["pkjwt"], proving.provers["fapi"]
    assert pkjwt.key is fapi.key
    for iss, client_id in (("pkjwt", "pkjwt"), ("fapi", "pkjwt"), ("pkjwt", "fapi")):
        request = pkjwt.request_object(proving.now, Proof(), iss=iss, client_id=client_id)
        pushed = proving.post("/par", proving.authenticated(fapi, {"request": request}))
        assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request_object")
    request = pkjwt.request_object(proving.now, Proof(), iss=None, client_id="fapi")
    pushed = proving.post("/par", proving.authenticated(fapi, {"request": request}))
    assert pushed.json["error"] == "invalid_request"  # an address of pkjwt's is none of fapi's


def test_a_request_that_is_replayed_leads_nowhere_new(proving: Proving) -> None:
    """It names its address, its PKCE challenge and its end: again and again the same, and then nothing."""
    town, prover, proof = proving.town, proving.provers["pkjwt"], Proof()
    request = prover.request_object(proving.now, proof)
    began = town.clock.at
    try:
        for _ in range(2):
            query = {"client_id": "pkjwt", "request": request, "redirect_uri": "https://evil.example/cb"}
            code = proving.browser.go_through(town.maria, proving.browser.post("/authorize", query))
            assert proving.browser.last is not None
            assert proving.browser.last.headers["Location"].startswith("https://pkjwt.example/cb?")
            stolen = proving.redeem(prover, code, Proof())
            assert stolen.json["error"] == "invalid_grant"
        town.clock.advance(300)
        assert _is_refused(proving, request)
    finally:
        town.clock.at = began


def test_keys_that_a_client_withdrew_sign_no_request(proving: Proving) -> None:
    """What counts is the key set as it stands when the request comes."""
    stranger = Prover(proving.provers["pkjwt"].partner, key_for("ES256", "withdrawn"))
    assert _is_refused(proving, stranger.request_object(proving.now, Proof()))
    assert _is_refused(proving, stranger.request_object(proving.now, Proof(), header={"kid": None}))
