"""DPoP: tokens that are worth nothing without the key they were given to (RFC 9449)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from idp.clients.metadata import Details
from idp.clients.service import demand_level
from idp.oidc.dpop import NONCE_FOR, current_nonce, thumbprint
from idp.oidc.models import RefreshToken
from idp.web.cookies import digest
from tests.support.proving import BOTH, Prover, _new, dpop, key_for
from tests.support.town import ISSUER, Proof, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.proving import Proving

KEY, OTHER = key_for("ES256", "wallet"), key_for("ES256", "thief")
OWN = {"grant_type": "client_credentials"}

#: What is changed in a proof that would be good.
CLAIMS: dict[str, dict[str, Any]] = {
    "another method": {"htm": "GET"},
    "the method in small letters": {"htm": "post"},
    "no method": {"htm": None},
    "another endpoint": {"htu": f"{ISSUER}/userinfo"},
    "another host": {"htu": "https://evil.example/token"},
    "another port": {"htu": f"{ISSUER}:8443/token"},
    "plain http": {"htu": "http://id.riverton.example/token"},
    "a user name": {"htu": "https://x@id.riverton.example/token"},
    "a longer path": {"htu": f"{ISSUER}/token/"},
    "another path's letters": {"htu": f"{ISSUER}/Token"},
    "an escape that means something": {"htu": f"{ISSUER}%2Ftoken"},
    "an escape of an escape": {"htu": f"{ISSUER}/%2574oken"},
    "dots that lead elsewhere": {"htu": f"{ISSUER}/token/.."},
    "a port that is none": {"htu": f"{ISSUER}:x/token"},
    "no address": {"htu": None},
    "an address that is no text": {"htu": ["x"]},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "an endless jti": {"jti": "x" * 256},
    "no iat": {"iat": None},
    "iat as a text": {"iat": "now"},
    "iat that is no number": {"iat": float("nan")},
}
HEADERS: dict[str, dict[str, Any]] = {
    "no typ": {"typ": None},
    "another typ": {"typ": "JWT"},
    "no jwk": {"jwk": None},
    "a private jwk": {"jwk": KEY.as_dict(private=True)},
    "a jwk that is none": {"jwk": {"kty": "EC"}},
    "a point off the curve": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
    "a symmetric jwk": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
    "another key": {"jwk": OTHER.as_dict(private=False)},
    "critical": {"crit": ["iat"]},
}
MALFORMED = ["x", "a.b", "a.b.c", "e30.e30.e30", "..", "ä.b.c", "eyJhbGciOiJub25lIn0.e30.", "x" * 40_000]


def _token(proving: Proving, proof: str) -> TestResponse:
    form, basic = proving.town.service.authentication(OWN)
    return proving.post("/token", form, {**basic, "DPoP": proof})


def _bound(proving: Proving, key: Any = KEY) -> dict[str, Any]:
    """Tokens of a public client that are bound to a key."""
    pocket, proof = proving.provers["pocket"], Proof()
    code = proving.code(pocket, proof)
    answer = proving.redeem(pocket, code, proof, {"DPoP": dpop(key, now=proving.now)})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def _read(proving: Proving, token: str, key: Any = KEY, scheme: str = "DPoP", **change: Any) -> TestResponse:
    proof = dpop(key, now=proving.now, **{"path": "/userinfo", "method": "GET", "token": token, **change})
    return proving.userinfo({"Authorization": f"{scheme} {token}", "DPoP": proof})


@pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_a_token_is_bound_to_the_key_of_the_proof(proving: Proving, alg: str) -> None:
    """RFC 9449 §5, §6.1: token_type DPoP, and the thumbprint in the introspection."""
    key = key_for("EdDSA" if alg == "Ed25519" else alg, "binding")
    answer = _token(proving, dpop(key, now=proving.now, alg=alg))
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP"), answer.json
    found = proving.town.introspect(proving.town.service, answer.json["access_token"]).json
    assert (found["token_type"], found["cnf"]) == ("DPoP", {"jkt": thumbprint(key)})


def test_a_client_that_wants_no_binding_gets_a_bearer_token(proving: Proving) -> None:
    """Nothing changes for those who do not know of it."""
    form, basic = proving.town.service.authentication(OWN)
    answer = proving.post("/token", form, basic)
    assert answer.json["token_type"] == "Bearer"
    assert "cnf" not in proving.town.introspect(proving.town.service, answer.json["access_token"]).json


@pytest.mark.parametrize("name", CLAIMS)
def test_a_proof_with_a_wrong_claim_is_refused(proving: Proving, name: str) -> None:
    """RFC 9449 §4.3."""
    answer = _token(proving, dpop(KEY, now=proving.now, **CLAIMS[name]))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_dpop_proof"), answer.json


@pytest.mark.parametrize("name", HEADERS)
def test_a_proof_with_a_wrong_header_is_refused(proving: Proving, name: str) -> None:
    """RFC 9449 §4.2, §4.3."""
    answer = _token(proving, dpop(KEY, now=proving.now, header=HEADERS[name]))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_dpop_proof"), answer.json


@pytest.mark.parametrize("alg", ["RS256", "HS256", "none", "ES384"])
def test_a_proof_is_signed_with_nothing_weak(proving: Proving, alg: str) -> None:
    """FAPI 2.0 §5.4.1; RFC 9449 §11.6: never none, nothing symmetric."""
    key = {"RS256": key_for("RS256"), "ES384": key_for("ES384")}.get(alg, KEY)
    proof = dpop(key, now=proving.now, alg="ES256" if alg in ("HS256", "none") else alg)
    if alg in ("HS256", "none"):
        head = dpop(KEY, now=proving.now, header={}).split(".")
        import base64
        import json

        raw = json.loads(base64.urlsafe_b64decode(head[0] + "=="))
        changed = base64.urlsafe_b64encode(json.dumps({**raw, "alg": alg}).encode()).rstrip(b"=").decode()
        proof = ".".join([changed, head[1], head[2]])
    assert _token(proving, proof).json["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize("proof", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_proof_is_refused(proving: Proving, proof: str) -> None:
    """RFC 9449 §4.3."""
    assert _token(proving, proof.encode().decode("latin-1")).json["error"] == "invalid_dpop_proof"


def test_two_proofs_are_none(proving: Proving) -> None:
    """RFC 9449 §4.3: not more than one header; WSGI joins them with a comma."""
    two = f"{dpop(KEY, now=proving.now)},{dpop(KEY, now=proving.now)}"
    assert _token(proving, two).json["error"] == "invalid_dpop_proof"


def test_a_tampered_proof_is_refused(proving: Proving) -> None:
    """Its signature covers everything."""
    head, _, signature = dpop(KEY, now=proving.now).split(".")
    _, claims, _ = dpop(KEY, now=proving.now).split(".")
    assert _token(proving, f"{head}.{claims}.{signature}").json["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize(
    "htu",
    [
        "HTTPS://ID.RIVERTON.EXAMPLE/token",
        "https://id.riverton.example:443/token",
        f"{ISSUER}/token?a=b",
        f"{ISSUER}/token#x",
        f"{ISSUER}/%74oken",
        f"{ISSUER}/./token",
        f"{ISSUER}/x/%2E%2e/token",
    ],
)
def test_an_address_is_compared_after_normalisation(proving: Proving, htu: str) -> None:
    """RFC 9449 §4.3 item 9, RFC 3986 §6.2.2, §6.2.3."""
    assert _token(proving, dpop(KEY, now=proving.now, htu=htu)).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "good"), [(59, True), (61, False), (-59, True), (-61, False), (3600, False)]
)
def test_a_proof_is_made_now(proving: Proving, seconds: int, good: bool) -> None:
    """K40: with a minute of leeway."""
    answer = _token(proving, dpop(KEY, now=proving.now, iat=int(proving.now) + seconds, extra="x"))
    assert (answer.status_code == 200) == good, answer.json


@pytest.mark.parametrize("with_nonce", [False, True])
@pytest.mark.parametrize(
    ("name", "seconds", "good"),
    [
        ("iat", 59, True),
        ("iat", 61, False),
        ("exp", 1, True),
        ("exp", 0, False),
        ("exp", -3600, False),
        ("nbf", 59, True),
        ("nbf", 61, False),
        ("nbf", -3600, True),
    ],
)
def test_what_a_proof_says_about_its_time_holds_with_a_nonce_too(
    proving: Proving, name: str, seconds: int, good: bool, with_nonce: bool
) -> None:
    """RFC 7519 §4.1.4, §4.1.5; FAPI 2.0 Security Profile §5.3.2.1 no. 14: nothing from more than a minute ahead."""
    now = int(proving.now)
    nonce = current_nonce(proving.town.context.vault, now=now) if with_nonce else None
    answer = _token(proving, dpop(KEY, now=now, nonce=nonce, **{name: now + seconds}))
    assert (answer.status_code == 200) == good, answer.json
    assert good or answer.json["error"] == "invalid_dpop_proof"


def test_a_proof_has_no_instant_that_is_none(proving: Proving) -> None:
    """RFC 7519 §2: a NumericDate is a number."""
    for name in ("exp", "nbf"):
        assert (
            _token(proving, dpop(KEY, now=proving.now, **{name: "x"})).json["error"] == "invalid_dpop_proof"
        )


def test_a_proof_is_used_once(proving: Proving) -> None:
    """RFC 9449 §11.1."""
    proof = dpop(KEY, now=proving.now)
    assert _token(proving, proof).status_code == 200
    assert _token(proving, proof).json["error"] == "invalid_dpop_proof"


def test_userinfo_is_read_with_a_proof_for_that_token(proving: Proving) -> None:
    """RFC 9449 §7: the scheme in any letters; the answer is that of a bearer token."""
    token = _bound(proving)["access_token"]
    for scheme in ("DPoP", "dpop", "DPOP"):
        answer = _read(proving, token, scheme=scheme)
        assert (answer.status_code, answer.json["email"]) == (200, "maria@example.org"), answer.json


def test_a_bound_token_is_worth_nothing_to_a_thief(proving: Proving) -> None:
    """RFC 9449 §7.1, FAPI conformance: every way but the right one is 401."""
    token = _bound(proving)["access_token"]
    other = _bound(proving)["access_token"]
    theft = {
        "another key": _read(proving, token, OTHER),
        "as a bearer token": proving.userinfo({"Authorization": f"Bearer {token}"}),
        "as a bearer token with its proof": _read(proving, token, scheme="Bearer"),
        "without a proof": proving.userinfo({"Authorization": f"DPoP {token}"}),
        "with a proof for another token": _read(proving, token, ath="x" * 43),
        "with a proof for no token": _read(proving, token, ath=None),
        "with a proof for another request": _read(proving, token, method="POST"),
        "in the form": proving.post("/userinfo", {"access_token": token}),
    }
    for name, answer in theft.items():
        assert answer.status_code == 401, name
        assert answer.headers["WWW-Authenticate"].startswith("DPoP "), name
        assert answer.json["error"] in ("invalid_token", "invalid_dpop_proof"), name
        assert "email" not in answer.json
    assert _read(proving, other).status_code == 200


def test_userinfo_answers_in_the_scheme_in_which_the_token_came(proving: Proving) -> None:
    """RFC 9449 §7.1: with the algorithms of proofs, whatever is wrong; RFC 6750 §3 for a bearer token."""
    tokens = _bound(proving)
    own = _token(proving, dpop(KEY, now=proving.now)).json["access_token"]
    refused = {
        "invalid_token": proving.userinfo({"Authorization": "DPoP nothing"}),
        "insufficient_scope": _read(proving, _narrow(proving)),
        "invalid_request": proving.post(
            "/userinfo", {"access_token": "x"}, {"Authorization": f"DPoP {tokens['access_token']}"}
        ),
    }
    proving.post("/revoke", {"client_id": "pocket", "token": tokens["refresh_token"]})
    dead = [proving.userinfo({"Authorization": f"DPoP {own}"}), _read(proving, tokens["access_token"])]
    for error, answer in (*refused.items(), *(("invalid_token", one) for one in dead)):
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith(f'DPoP realm="denizen", error="{error}"'), challenge
        assert 'algs="' in challenge
    bearer = proving.userinfo({"Authorization": "Bearer nothing"}).headers["WWW-Authenticate"]
    assert bearer.startswith('Bearer realm="denizen", error="invalid_token"')
    assert "algs" not in bearer


def test_a_step_up_is_asked_for_in_the_scheme_of_the_token(proving: Proving) -> None:
    """RFC 9470 §3 with RFC 9449 §7.1: a sign-in that has become too weak."""
    town, proof = proving.town, Proof()
    new = _new("risen", "none", Details(dpop_bound_access_tokens=True), grant_types=BOTH)
    risen = Prover(town.add_client(new, basis="public_task", required=("name", "email")))
    town.fresh()
    code = proving.code(risen, proof)
    token = proving.redeem(risen, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json["access_token"]
    with town.context.database.transaction() as session:
        assert demand_level(session, "risen", "phr")
    town.fresh()
    challenge = _read(proving, token).headers["WWW-Authenticate"]
    assert challenge.startswith('DPoP realm="denizen", error="insufficient_user_authentication"')
    assert 'acr_values="phr", algs="' in challenge


def _narrow(proving: Proving) -> str:
    """A bound access token without the scope openid."""
    pkjwt, proof = proving.provers["pkjwt"], Proof()
    code = proving.code(pkjwt, proof, "email")
    found = proving.redeem(pkjwt, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json
    token: str = found["access_token"]
    return token


def test_a_bearer_token_does_not_become_a_bound_one(proving: Proving) -> None:
    """RFC 9449 §7.2: the scheme must be the token's own."""
    town = proving.town
    proof = Proof()
    code = proving.browser.code(town.library, town.maria, "openid email profile", proof)
    token = town.redeem(town.library, code, proof).json["access_token"]
    assert _read(proving, token).json["error"] == "invalid_token"
    assert town.userinfo(token).status_code == 200


def test_a_client_that_registered_for_it_gets_no_bearer_token(proving: Proving) -> None:
    """RFC 9449 §5.2 dpop_bound_access_tokens; the code is not burnt by the refusal."""
    pocket, proof = proving.provers["pocket"], Proof()
    code = proving.code(pocket, proof)
    refused = proving.redeem(pocket, code, proof)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
    assert proving.redeem(pocket, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).status_code == 200


def test_a_code_is_bound_to_the_key_that_the_request_named(proving: Proving) -> None:
    """RFC 9449 §10: a thief with code, verifier and a key of their own gets nothing, and burns nothing."""
    pocket, proof = proving.provers["pocket"], Proof()
    code = proving.code(pocket, proof, dpop_jkt=thumbprint(KEY))
    stolen = proving.redeem(pocket, code, proof, {"DPoP": dpop(OTHER, now=proving.now)})
    assert (stolen.status_code, stolen.json["error"]) == (400, "invalid_grant")
    assert proving.redeem(pocket, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).status_code == 200
    library = proving.town.library
    code = proving.browser.code(library, proving.town.maria, "openid", proof, dpop_jkt=thumbprint(KEY))
    assert proving.town.redeem(library, code, proof).json["error"] == "invalid_grant"


@pytest.mark.parametrize("jkt", ["x", "x" * 44, "=" * 43, "x" * 42 + "\n"])
def test_a_key_that_is_none_cannot_be_named(proving: Proving, jkt: str) -> None:
    """RFC 9449 §10."""
    answer = proving.browser.authorize(proving.provers["pocket"].partner, "openid", Proof(), dpop_jkt=jkt)
    assert "error=invalid_request" in answer.headers["Location"]


def test_the_refresh_token_of_a_public_client_is_bound_too(proving: Proving) -> None:
    """RFC 9449 §5; another's attempt neither spends it nor kills the family."""
    pocket = proving.provers["pocket"]
    first = _bound(proving)
    form = {
        "grant_type": "refresh_token",
        "client_id": "pocket",
        "refresh_token": first["refresh_token"],
    }
    for key in (OTHER, None):
        headers = {"DPoP": dpop(key, now=proving.now)} if key else {}
        assert proving.post("/token", form, headers).status_code == 400
    answer = proving.post("/token", form, {"DPoP": dpop(KEY, now=proving.now)})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")
    assert _read(proving, answer.json["access_token"]).status_code == 200
    assert _read(proving, first["access_token"]).status_code == 200
    following = {**form, "refresh_token": answer.json["refresh_token"]}
    assert proving.post("/token", following, {"DPoP": dpop(OTHER, now=proving.now)}).status_code == 400
    assert pocket.partner.secret is None


def test_a_fapi_client_keeps_its_refresh_token_and_may_change_its_key(proving: Proving) -> None:
    """FAPI 2.0 §5.3.2.1: no rotation; the client proves itself, so its token is not bound to the proof's key."""
    fapi, proof = proving.provers["fapi"], Proof()
    code = proving.pushed_code(fapi, proof)
    tokens = proving.redeem(fapi, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for key in (KEY, OTHER, KEY):
        answer = proving.post("/token", fapi.form(proving.now, form), {"DPoP": dpop(key, now=proving.now)})
        assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP"), answer.json
        assert "refresh_token" not in answer.json
        assert _read(proving, answer.json["access_token"], key).status_code == 200
    assert proving.post("/token", {**form, "client_id": "fapi"}).json["error"] == "invalid_client"
    proving.post("/revoke", fapi.form(proving.now, {"token": tokens["refresh_token"]}))
    dead = proving.post("/token", fapi.form(proving.now, form), {"DPoP": dpop(KEY, now=proving.now)})
    assert dead.json["error"] == "invalid_grant"


@pytest.mark.parametrize("ended", ["by time", "by a use that spent it"])
def test_a_refresh_token_that_no_use_spends_can_end_all_the_same(proving: Proving, ended: str) -> None:
    """Spent it may be from the time before its client had this profile."""
    fapi, clock = proving.provers["fapi"], proving.town.clock
    proof, began = Proof(), proving.now
    tokens = proving.redeem(
        fapi, proving.pushed_code(fapi, proof), proof, {"DPoP": dpop(KEY, now=began)}
    ).json
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}

    def use() -> TestResponse:
        return proving.post("/token", fapi.form(proving.now, form), {"DPoP": dpop(KEY, now=proving.now)})

    this = RefreshToken.token_hash == digest(tokens["refresh_token"])
    with proving.town.context.database.transaction() as session:
        lasts = session.execute(select(RefreshToken.expires_at).where(this)).scalar_one() - int(began)
    try:
        clock.advance(lasts - 1 if ended == "by time" else 0)
        assert use().status_code == 200
        with proving.town.context.database.transaction() as session:
            if ended != "by time":
                session.execute(update(RefreshToken).where(this).values(spent_at=int(proving.now)))
        clock.advance(1)
        assert use().json["error"] == "invalid_grant"
    finally:
        clock.advance(began - proving.now)


def test_a_nonce_says_how_old_a_proof_is(proving: Proving) -> None:
    """RFC 9449 §8: with a nonce of ours a slow clock does not matter; an old or strange one asks for the next."""
    town = proving.town
    nonce = current_nonce(town.context.vault, now=int(town.clock()))
    answer = _token(proving, dpop(KEY, now=proving.now, nonce=nonce, iat=int(proving.now) - 5000))
    assert (answer.status_code, answer.headers["DPoP-Nonce"]) == (200, nonce)
    for wrong in ("x", current_nonce(town.context.vault, now=int(town.clock()) - 2 * NONCE_FOR)):
        answer = _token(proving, dpop(KEY, now=proving.now, nonce=wrong))
        assert (answer.status_code, answer.json["error"]) == (400, "use_dpop_nonce")
        assert answer.headers["DPoP-Nonce"] == nonce
    token = _bound(proving)["access_token"]
    answer = _read(proving, token, nonce="x")
    assert (answer.status_code, answer.json["error"]) == (401, "use_dpop_nonce")
    assert answer.headers["DPoP-Nonce"] == nonce
    assert 'error="use_dpop_nonce"' in answer.headers["WWW-Authenticate"]
    assert _read(proving, token, nonce=nonce).headers["DPoP-Nonce"] == nonce


def test_a_town_may_ask_every_proof_for_a_nonce(database_url: str, tmp_path: Path) -> None:
    """`[tokens] dpop_nonce`; nothing is kept of nonces, so any node takes any other's."""
    town = make_town(database_url, tmp_path, tokens={"dpop_nonce": True})
    form, basic = town.service.authentication(OWN)
    post = town.app.test_client(use_cookies=False).post
    refused = post(
        "/token", data=form, headers={**basic, "DPoP": dpop(KEY, now=town.clock())}, base_url=ISSUER
    )
    assert refused.json["error"] == "use_dpop_nonce"
    nonce = refused.headers["DPoP-Nonce"]
    town.clock.advance(NONCE_FOR)
    proof = dpop(KEY, now=town.clock(), nonce=nonce)
    answer = post("/token", data=form, headers={**basic, "DPoP": proof}, base_url=ISSUER)
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")
    assert answer.headers["DPoP-Nonce"] != nonce
    form, basic = town.library.authentication(town.library.request("openid", Proof()))
    form = {**form, "client_id": town.library.client_id}
    for given in (None, "old", nonce):
        headers = {**basic, "DPoP": dpop(KEY, now=town.clock(), path="/par", nonce=given)}
        pushed = post("/par", data=form, headers=headers, base_url=ISSUER)
        assert pushed.headers["DPoP-Nonce"] != nonce
        if given != nonce:
            assert (pushed.status_code, pushed.json["error"]) == (400, "use_dpop_nonce")
    assert (pushed.status_code, set(pushed.json)) == (201, {"request_uri", "expires_in"})
    town.context.database.close()
