"""Client assertions: who signs with a key or a secret, for us, now, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import OctKey

from idp.clients.metadata import Details, NewClient
from tests.support.proving import TYPE, Prover, jwks, key_for
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from tests.support.proving import Proving

TOKEN = f"{ISSUER}/token"
#: What must not be believed, by what is changed in an assertion that would be good.
REFUSED: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "https://evil.example"},
    "ours and another's audience": {"aud": [ISSUER, "https://evil.example"]},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "another endpoint of ours": {"aud": f"{ISSUER}/revoke"},
    "no issuer": {"iss": None},
    "another issuer": {"iss": "library"},
    "no subject": {"sub": None},
    "another subject": {"sub": "library"},
    "a subject that is no text": {"sub": ["pkjwt"]},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a jti that is a number": {"jti": 7},
    "an endless jti": {"jti": "x" * 256},
    "exp as a text": {"exp": "2100"},
    "exp that is no number": {"exp": float("nan")},
    "exp that never comes": {"exp": float("inf")},
    "exp true": {"exp": True},
    "nbf as a text": {"nbf": "now"},
}
HEADERS: dict[str, dict[str, Any]] = {
    "a DPoP proof": {"typ": "dpop+jwt"},
    "an access token": {"typ": "at+jwt"},
    "a logout token": {"typ": "logout+jwt"},
    "something critical": {"crit": ["exp"], "exp": 1},
    "an unencoded payload": {"b64": False},
    "another key's kid": {"kid": "RS256"},
    "an unknown kid": {"kid": "nobody"},
    "a kid that is no text": {"kid": 7},
}


def test_every_algorithm_of_the_profile_proves_a_client(proving: Proving) -> None:
    """RFC 7523 §3, RFC 7518: ES256, PS256, RS256 and both names of Ed25519."""
    partner = proving.provers["pkjwt"].partner
    for alg in ("ES256", "PS256", "RS256", "EdDSA", "Ed25519"):
        key = key_for("EdDSA" if alg == "Ed25519" else alg)
        answer = proving.own_token(Prover(partner, key, alg))
        assert answer.status_code == 200, (alg, answer.json)


def test_a_secret_proves_a_client_that_registered_for_signing_with_it(proving: Proving) -> None:
    """OIDC Core §9 client_secret_jwt; the secret itself is no proof any more."""
    prover = proving.provers["secretjwt"]
    assert proving.own_token(prover).status_code == 200
    form = {"grant_type": "client_credentials", "client_id": "secretjwt"}
    answer = proving.post("/token", {**form, "client_secret": str(prover.partner.secret)})
    assert answer.json["error"] == "invalid_client"
    wrong = Prover(prover.partner, OctKey.import_key("x" * 43), "HS256")
    assert proving.own_token(wrong).json["error"] == "invalid_client"
    for alg in ("HS384", "HS512"):
        assert proving.own_token(Prover(prover.partner, prover.key, alg)).json["error"] == "invalid_client"


def test_a_code_is_redeemed_and_a_token_revoked_with_an_assertion(proving: Proving) -> None:
    """The same proof at every back-channel endpoint, each with its own address as audience or the token endpoint's."""
    prover, proof = proving.provers["pkjwt"], Proof()
    tokens = proving.redeem(prover, proving.code(prover, proof), proof).json
    token = {"token": tokens["access_token"]}
    for path in ("/introspect", "/revoke"):
        for audience in (ISSUER, TOKEN, f"{ISSUER}{path}", [ISSUER, TOKEN]):
            form = prover.form(proving.now, token, aud=audience)
            assert proving.post(path, form).status_code == 200, (path, audience)
    assert proving.userinfo({"Authorization": f"Bearer {token['token']}"}).status_code == 401


@pytest.mark.parametrize("name", REFUSED)
def test_an_assertion_with_a_wrong_claim_proves_nothing(proving: Proving, name: str) -> None:
    """RFC 7523 §3, RFC 8725 §3."""
    answer = proving.own_token(proving.provers["pkjwt"], **REFUSED[name])
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), answer.json


@pytest.mark.parametrize("name", HEADERS)
def test_an_assertion_with_a_wrong_header_proves_nothing(proving: Proving, name: str) -> None:
    """RFC 8725 §3.11, RFC 7515 §4.1.11."""
    answer = proving.own_token(proving.provers["pkjwt"], header=HEADERS[name])
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), answer.json


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", "application/jwt"])
def test_an_assertion_may_say_what_it_is(proving: Proving, typ: str) -> None:
    """Against refusing everything."""
    assert proving.own_token(proving.provers["pkjwt"], header={"typ": typ}).status_code == 200


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({"exp": 0}, False),
        ({"exp": 1}, True),
        ({"exp": 300 + 60}, True),
        ({"exp": 300 + 61}, False),
        ({"exp": 4_000_000_000}, False),
        ({"iat": 59}, True),
        ({"iat": 61}, False),
        ({"nbf": 59}, True),
        ({"nbf": 61}, False),
        ({"nbf": -5000}, True),
        ({"iat": -5000}, True),
    ],
    ids=str,
)
def test_time_is_judged_with_a_minute_of_leeway(proving: Proving, change: dict[str, int], good: bool) -> None:
    """K40, K12: exp is never stretched, and never further away than five minutes; clocks may differ by one."""
    moved = {name: int(proving.now) + seconds for name, seconds in change.items()}
    answer = proving.own_token(proving.provers["pkjwt"], **moved)
    assert (answer.status_code == 200) == good, answer.json


def test_the_audience_of_a_fapi_client_is_the_issuer_and_nothing_else(proving: Proving) -> None:
    """FAPI 2.0 §5.3.2.1: a string, so that no proof for one server is good at another (CVE-2025-27370)."""
    prover = proving.provers["fapi"]
    for audience in (TOKEN, [ISSUER], [ISSUER, TOKEN], f"{ISSUER}/", None):
        answer = proving.own_token(prover, aud=audience)
        assert answer.json["error"] == "invalid_client", audience
    # Past authentication, it is told that its token must be bound to a key: no proof is missing, for a certificate would do.
    assert proving.own_token(prover).json["error"] == "invalid_request"


def test_a_fapi_client_does_not_sign_with_rs256(proving: Proving) -> None:
    """FAPI 2.0 §5.4.1."""
    partner = proving.provers["fapi"].partner
    assert proving.own_token(Prover(partner, key_for("RS256"), "RS256")).json["error"] == "invalid_client"


def test_the_client_id_beside_an_assertion_must_be_its_subject(proving: Proving) -> None:
    """RFC 7521 §4.2: one client, one name."""
    prover = proving.provers["pkjwt"]
    form = prover.form(proving.now, {"grant_type": "client_credentials"})
    assert proving.post("/token", {**form, "client_id": "library"}).json["error"] == "invalid_client"
    assert proving.post("/token", {**form, "client_id": "pkjwt"}).status_code == 200


def test_an_assertion_of_another_type_is_none(proving: Proving) -> None:
    """RFC 7521 §4.2."""
    form = proving.provers["pkjwt"].form(proving.now, {"grant_type": "client_credentials"})
    for kind in ("urn:ietf:params:oauth:client-assertion-type:saml2-bearer", TYPE.upper(), "x"):
        answer = proving.post("/token", {**form, "client_assertion_type": kind})
        assert answer.json["error"] == "invalid_client"
    del form["client_assertion_type"]
    assert proving.post("/token", form).json["error"] == "invalid_client"
    assert proving.post("/token", {**form, "client_assertion_type": TYPE}).status_code == 200


def test_a_client_that_registered_for_another_way_does_not_prove_itself_by_assertion(
    proving: Proving,
) -> None:
    """K10: exactly one method a client, whatever keys it may hold."""
    for partner in (proving.town.library, proving.town.tax, proving.town.public):
        key = OctKey.import_key(partner.secret or "x" * 43)
        answer = proving.own_token(Prover(partner, key, "HS256"))
        assert answer.json["error"] == "invalid_client"


def test_keys_for_something_else_prove_nobody(proving: Proving) -> None:
    """K10: a client with a secret may have keys, for request objects or for sealing; they are no second way in."""
    key = key_for("ES256", "for-requests")
    new = NewClient(
        "Keys",
        client_id="keysbeside",
        grant_types=("client_credentials",),
        details=Details(jwks=jwks(key)),
    )
    partner = proving.town.add_client(new, basis=None)
    proving.town.fresh()
    assert proving.own_token(Prover(partner, key)).json["error"] == "invalid_client"
    assert proving.town.call("/token", partner, {"grant_type": "client_credentials"}).status_code == 200
