"""Tokens for APIs: for one of them, as a JWT where it likes, and answers that are signed or sealed for a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from joserfc import jwe, jwt
from joserfc.jwe import JWERegistry
from joserfc.jwk import KeySet

from idp.clients.metadata import Details, NewClient
from tests.support.proving import Prover, dpop, jwks, key_for
from tests.support.settled import SCOPE
from tests.support.town import ISSUER, START, Partner, Proof, answer_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.proving import Proving
    from tests.support.town import Town

API, PLAIN_API = "https://api.riverton.example/tax", "https://api.riverton.example/plain"
KEY = key_for("ES256", "caller")


def _with_details(town: Town, client_id: str, **details: Any) -> Partner:
    found = town.add_client(
        NewClient(
            f"Service {client_id}",
            (f"https://{client_id}.example/cb",),
            client_id=client_id,
            scopes=("openid", "email", "profile", "offline_access", "tax:read", "plain:read"),
            grant_types=("authorization_code", "refresh_token", "client_credentials"),
            details=Details(**details),
        ),
        basis="public_task",
        required=("name", "email"),
    )
    town.fresh()
    return found


@pytest.fixture(scope="module")
def apis(proving: Proving) -> Iterator[dict[str, Partner]]:
    """A client that calls, and two APIs: one that wants JWTs, and one that introspects."""
    town = proving.town
    made = {
        "caller": _with_details(town, "caller"),
        "jwtcaller": _with_details(town, "jwtcaller", access_token_format="jwt"),
    }
    for name, resource, form in (("taxapi", API, "jwt"), ("plainapi", PLAIN_API, "opaque")):
        new = NewClient(
            name,
            client_id=name,
            grant_types=("client_credentials",),
            scopes=(),
            protects_scopes=("tax:read" if name == "taxapi" else "plain:read",),
            details=Details(resource=resource, access_token_format=form),
        )
        made[name] = town.add_client(new, basis=None)
    town.fresh()
    return made


def _claims(town: Town, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    keys = KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)
    found = jwt.decode(token, keys, algorithms=["ES256", "RS256"])
    return found.header, found.claims


def _tokens(proving: Proving, client: Partner, **change: str) -> Any:
    proof = Proof()
    scope = change.pop("scope", f"{SCOPE} tax:read plain:read")
    at_token = {"resource": change.pop("then")} if "then" in change else {}
    code = proving.browser.code(client, proving.town.maria, scope, proof, **change)
    return proving.town.redeem(client, code, proof, **at_token)


def test_a_token_for_an_api_is_a_jwt_that_says_only_what_the_api_needs(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 9068 §2, RFC 8707 §2.2: typ, audience, the API's own scopes, and nothing about the person."""
    town = proving.town
    answer = _tokens(proving, apis["caller"], resource=API).json
    header, claims = _claims(town, answer["access_token"])
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    sub = _claims(town, answer["id_token"])[1]["sub"]
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "sub": sub,
        "aud": API,
        "client_id": "caller",
        "iat": START,
        "exp": START + 600,
        "scope": "tax:read",
        "auth_time": START,
        "acr": "basic",
        "amr": ["pwd"],
    }
    assert answer["scope"] == "tax:read"
    assert "maria" not in json.dumps(claims).lower()


def test_a_token_for_an_api_is_nothing_at_userinfo_and_to_other_apis(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 8707 §2: audience-restricted; a JWT is revoked and introspected as any other token."""
    town = proving.town
    token = _tokens(proving, apis["caller"], resource=API).json["access_token"]
    assert town.userinfo(token).status_code == 401
    found = town.introspect(apis["taxapi"], token).json
    assert (found["active"], found["aud"], found["scope"]) == (True, API, "tax:read")
    assert town.introspect(apis["plainapi"], token).json == {"active": False}
    assert town.introspect(town.service, token).json == {"active": False}
    town.call("/revoke", apis["caller"], {"token": token})
    assert town.introspect(apis["taxapi"], token).json == {"active": False}


def test_an_api_that_introspects_gets_a_token_that_says_nothing(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 8707, in the form that the API registered."""
    answer = _tokens(proving, apis["caller"], resource=PLAIN_API).json
    assert answer["access_token"].count(".") == 0
    assert answer["scope"] == "plain:read"
    assert proving.town.introspect(apis["plainapi"], answer["access_token"]).json["aud"] == PLAIN_API


def test_the_token_request_may_name_the_api_but_not_another_than_was_granted(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 8707 §2.2; a refusal does not burn the code."""
    caller, town = apis["caller"], proving.town
    assert _tokens(proving, caller, then=API).json["scope"] == "tax:read"
    assert _tokens(proving, caller, resource=API, then=API).status_code == 200
    proof = Proof()
    code = proving.browser.code(caller, town.maria, "openid tax:read plain:read", proof, resource=API)
    for wrong in (PLAIN_API, "https://nobody.example/"):
        refused = town.redeem(caller, code, proof, resource=wrong)
        assert (refused.status_code, refused.json["error"]) == (400, "invalid_target")
    assert town.redeem(caller, code, proof).status_code == 200


def test_an_api_that_is_not_known_or_not_meant_is_refused(proving: Proving, apis: dict[str, Partner]) -> None:
    """RFC 8707 §2: invalid_target, at either endpoint."""
    caller, town = apis["caller"], proving.town
    for wrong in ("https://nobody.example/", "x" * 3000):
        answer = proving.browser.authorize(caller, "openid", Proof(), resource=wrong)
        assert answer_parameters(answer)["error"] == "invalid_target"
    own = {"grant_type": "client_credentials", "resource": API}
    assert town.call("/token", caller, {**own, "scope": "plain:read"}).json["error"] == "invalid_target"
    assert town.call("/token", caller, {**own, "resource": "x"}).json["error"] == "invalid_target"


def test_one_api_at_a_time(proving: Proving, apis: dict[str, Partner]) -> None:
    """RFC 8707 §2: several may be named, and invalid_target is the answer of a server that takes one, at any endpoint."""
    caller, post = apis["caller"], proving.town.app.test_client(use_cookies=False).post
    two = urlencode([("resource", API), ("resource", PLAIN_API)])
    asked = urlencode(caller.request("openid tax:read", Proof()))
    answer = proving.browser.get(f"/authorize?{asked}&{two}")
    assert answer_parameters(answer)["error"] == "invalid_target"
    form, basic = caller.authentication({"grant_type": "client_credentials", "scope": "tax:read"})
    for path, sent in (
        ("/token", urlencode(form)),
        ("/par", asked),
        ("/device_authorization", "scope=openid"),
    ):
        body = {"data": f"{sent}&{two}", "content_type": "application/x-www-form-urlencoded"}
        refused = post(path, headers=basic, base_url=ISSUER, **body)
        assert (refused.status_code, refused.json["error"]) == (400, "invalid_target"), path
    signer, proof = proving.provers["pkjwt"], Proof()
    for more, error in (([API], None), ([API, PLAIN_API], "invalid_target")):
        signed = signer.request_object(proving.now, proof, scope="openid tax:read", resource=more)
        pushed = proving.post("/par", signer.form(proving.now, {"request": signed}))
        assert pushed.json.get("error") == error


def test_a_refreshed_token_is_for_the_same_api(proving: Proving, apis: dict[str, Partner]) -> None:
    """RFC 8707 §2.2; the refresh token has the whole scope still."""
    caller, town = apis["caller"], proving.town
    first = _tokens(proving, caller, resource=API).json
    wrong = town.refresh(caller, first["refresh_token"], resource=PLAIN_API)
    assert wrong.json["error"] == "invalid_target"
    again = town.refresh(caller, first["refresh_token"]).json
    assert _claims(town, again["access_token"])[1]["aud"] == API


def test_a_client_acting_for_itself_gets_a_jwt_bound_to_its_key(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 9068 §2.2 sub is the client; RFC 9449 §6.1 cnf."""
    from idp.oidc.dpop import thumbprint

    form, basic = apis["caller"].authentication(
        {"grant_type": "client_credentials", "resource": API, "scope": "tax:read"}
    )
    answer = proving.post("/token", form, {**basic, "DPoP": dpop(KEY, now=proving.now)}).json
    claims = _claims(proving.town, answer["access_token"])[1]
    assert (claims["sub"], claims["client_id"]) == ("caller", "caller")
    assert claims["cnf"] == {"jkt": thumbprint(KEY)}
    assert "auth_time" not in claims


def test_a_client_may_want_jwts_for_itself(proving: Proving, apis: dict[str, Partner]) -> None:
    """RFC 9068: then the audience is the issuer, and userinfo takes it; a withdrawn grant kills it all the same."""
    town = proving.town
    answer = _tokens(proving, apis["jwtcaller"]).json
    assert _claims(town, answer["access_token"])[1]["aud"] == ISSUER
    assert town.userinfo(answer["access_token"]).json["email"] == "maria@example.org"
    town.call("/revoke", apis["jwtcaller"], {"token": answer["refresh_token"]})
    assert town.userinfo(answer["access_token"]).status_code == 401


def test_introspection_is_signed_for_whoever_asks_for_that(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 9701 §5: typ, iss, aud, iat, and the answer inside."""
    town = proving.town
    token = _tokens(proving, apis["caller"], resource=API).json["access_token"]
    kind = "application/token-introspection+jwt"
    for one, active in ((token, True), ("x", False)):
        answer = town.call("/introspect", apis["taxapi"], {"token": one}, headers={"Accept": kind})
        assert answer.headers["Content-Type"] == kind
        header, claims = _claims(town, answer.text)
        assert header["typ"] == "token-introspection+jwt"
        assert (claims["iss"], claims["aud"], claims["iat"]) == (ISSUER, "taxapi", START)
        assert claims["token_introspection"]["active"] is active
        assert "exp" not in claims
        assert "sub" not in claims


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        ("*/*", "application/json"),
        ("{jwt};q=0, application/json", "application/json"),
        ("{jwt}; q=0.0", "application/json"),
        ("{jwt};q=x", "application/json"),
        ("{jwt};q=0.5, application/json", "application/json"),
        ("application/json, {jwt}", "{jwt}"),
        ("application/json;q=0.5, {jwt};q=0.9", "{jwt}"),
        ("application/json;q=0, {jwt};q=0.1", "{jwt}"),
    ],
)
def test_what_is_liked_less_is_not_given(
    proving: Proving, apis: dict[str, Partner], accepted: str, given: str
) -> None:
    """RFC 9110 §12.4.2: q=0 is a refusal."""
    kind = "application/token-introspection+jwt"
    sent = {"Accept": accepted.format(jwt=kind)}
    answer = proving.town.call("/introspect", apis["taxapi"], {"token": "x"}, headers=sent)
    assert answer.headers["Content-Type"] == given.format(jwt=kind)


def test_introspection_is_signed_with_rs256_unless_something_else_is_registered(
    proving: Proving, apis: dict[str, Partner]
) -> None:
    """RFC 9701 §6: the default of `introspection_signed_response_alg`; whatever signs the client's ID tokens."""
    town = proving.town
    asks = {"Accept": "application/token-introspection+jwt"}
    own = _with_details(town, "signedanswer", introspection_signed_response_alg="ES256")
    for asker, alg in ((apis["taxapi"], "RS256"), (own, "ES256")):
        answer = town.call("/introspect", asker, {"token": "x"}, headers=asks)
        assert _claims(town, answer.text)[0]["alg"] == alg
    fapi = proving.provers["fapi"]  # its profile has no RS256
    answer = proving.post("/introspect", fapi.form(proving.now, {"token": "x"}), asks)
    assert _claims(town, answer.text)[0]["alg"] == "ES256"


def test_introspection_says_what_a_jwt_says(proving: Proving, apis: dict[str, Partner]) -> None:
    """RFC 7662 §2.2, RFC 9068 §2.2: one audience for one token, whoever asks; and a JWT of a client's own."""
    town, jwtcaller = proving.town, apis["jwtcaller"]
    token = _tokens(proving, jwtcaller, scope="openid tax:read").json["access_token"]
    own = town.call("/token", jwtcaller, {"grant_type": "client_credentials", "scope": "tax:read"}).json
    for text in (token, own["access_token"]):
        assert _claims(town, text)[1]["aud"] == ISSUER
        for asker in (jwtcaller, apis["taxapi"]):
            assert town.introspect(asker, text).json["aud"] == ISSUER


def test_userinfo_is_signed_for_a_client_that_registered_for_it(proving: Proving) -> None:
    """OIDC Core §5.3.2: application/jwt with iss and aud, and no nonce."""
    town = proving.town
    client = _with_details(town, "signedinfo", userinfo_signed_response_alg="RS256")
    tokens = _tokens(proving, client, scope="openid email").json
    answer = town.userinfo(tokens["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    header, claims = _claims(town, answer.text)
    assert header["alg"] == "RS256"
    assert (claims["iss"], claims["aud"], claims["email"]) == (ISSUER, "signedinfo", "maria@example.org")
    assert not {"nonce", "exp"} & claims.keys()


@pytest.mark.parametrize(
    ("alg", "enc"),
    [
        ("RSA-OAEP", None),
        ("RSA-OAEP-256", "A256GCM"),
        ("ECDH-ES", "A128GCM"),
        ("ECDH-ES+A256KW", "A256CBC-HS512"),
    ],
)
def test_what_is_for_a_client_alone_is_encrypted_to_its_key(
    proving: Proving, alg: str, enc: str | None
) -> None:
    """OIDC Core §3.1.3.7, RFC 7516: signed by us, sealed to the client; both for ID token, userinfo and introspection."""
    town = proving.town
    key = key_for("RS256" if alg.startswith("RSA") else "ES256", "sealed")
    wanted = {
        f"{what}_encrypted_response_{part}": value
        for what in ("id_token", "userinfo", "introspection")
        for part, value in (("alg", alg), ("enc", enc))
        if value
    }
    name = "sealed-" + alg.lower().replace("+", "-")
    client = _with_details(
        town,
        name,
        jwks=jwks(key),
        userinfo_signed_response_alg="ES256",
        introspection_signed_response_alg="ES256",
        **wanted,
    )
    tokens = _tokens(proving, client, scope="openid email").json
    sealed = {
        "id_token": tokens["id_token"],
        "userinfo": town.userinfo(tokens["access_token"]).text,
        "introspection": town.introspect(client, tokens["access_token"]).text,
    }
    for what, text in sealed.items():
        registry = JWERegistry(algorithms=[alg, enc or "A128CBC-HS256"])
        opened = jwe.decrypt_compact(text, key, registry=registry)
        assert opened.protected["enc"] == (enc or "A128CBC-HS256")
        assert opened.protected["cty"] == "JWT"
        assert opened.plaintext is not None
        assert _claims(town, opened.plaintext.decode())[1]["aud"] == name, what


def test_the_resource_says_what_whoever_calls_it_must_know(proving: Proving) -> None:
    """RFC 9728 §3.3, §5.1: whoever comes without a token is led to what speaks of the very address that they asked."""
    client = proving.town.app.test_client()
    challenge = client.get("/userinfo", base_url=ISSUER).headers["WWW-Authenticate"]
    where = f"{ISSUER}/.well-known/oauth-protected-resource"
    assert f'resource_metadata="{where}/userinfo"' in challenge
    for address, resource in ((where, ISSUER), (f"{where}/userinfo", f"{ISSUER}/userinfo")):
        found = client.get(address.removeprefix(ISSUER), base_url=ISSUER)
        assert found.status_code == 200
        assert found.json["resource"] == resource
        assert found.json["authorization_servers"] == [ISSUER]
        assert "ES256" in found.json["dpop_signing_alg_values_supported"]
    assert 'DPoP algs="' in challenge


@pytest.mark.parametrize("ours", [ISSUER, f"{ISSUER}/userinfo"])
def test_whoever_names_ourselves_gets_what_all_get_who_name_nothing(
    proving: Proving, apis: dict[str, Partner], ours: str
) -> None:
    """RFC 8707 §2, RFC 9728 §3.3: clients that read our metadata name what it says, here, pushed and at the token endpoint."""
    town, caller = proving.town, apis["caller"]
    tokens = _tokens(proving, caller, resource=ours, then=ours).json
    assert town.userinfo(tokens["access_token"]).status_code == 200
    pushed = town.call("/par", caller, {**caller.request("openid", Proof()), "resource": ours})
    assert pushed.status_code == 201, pushed.json
    own = town.call("/token", caller, {"grant_type": "client_credentials", "resource": ours})
    assert own.status_code == 200, own.json
    refused = _tokens(proving, caller, resource=API, then=ours)
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_target")


@pytest.mark.parametrize("ours", [ISSUER, f"{ISSUER}/userinfo"])
def test_a_token_is_refreshed_for_ourselves(proving: Proving, apis: dict[str, Partner], ours: str) -> None:
    """RFC 8707 §2.2: one for an API is never turned into one for us."""
    town, caller = proving.town, apis["caller"]
    for resource, expected in ((None, 200), (API, 400)):
        change = {"resource": resource} if resource else {}
        first = _tokens(proving, caller, scope=f"{SCOPE} tax:read", **change).json
        answer = town.refresh(caller, first["refresh_token"], resource=ours)
        assert answer.status_code == expected, answer.json


@pytest.mark.parametrize("profile", ["standard", "fapi2"])
def test_an_api_chooses_what_signs_its_tokens_among_what_the_clients_profile_has(
    proving: Proving, profile: str
) -> None:
    """RFC 9068 §4; FAPI 2.0 §5.4.1: RS256 signs nothing for a client of a FAPI profile."""
    town, scope, key = proving.town, f"{profile}:read", key_for("ES256", profile)
    resource = f"https://api.riverton.example/{profile}"
    api = NewClient(
        "API",
        client_id=f"rs256-{profile}",
        grant_types=("client_credentials",),
        scopes=(),
        protects_scopes=(scope,),
        id_token_signed_response_alg="RS256",
        details=Details(resource=resource, access_token_format="jwt"),
    )
    town.add_client(api, basis=None)
    name = f"signed-{profile}"
    caller = NewClient(
        name,
        (f"https://{name}.example/cb",),
        client_id=name,
        token_endpoint_auth_method="private_key_jwt",
        scopes=("openid", scope),
        profile=profile,
        details=Details(jwks=jwks(key)),
    )
    prover, proof = Prover(town.add_client(caller, basis="public_task", required=("name",)), key), Proof()
    town.fresh()
    code = proving.pushed_code(prover, proof, scope=f"openid {scope}", resource=resource)
    tokens = proving.redeem(prover, code, proof, {"DPoP": dpop(KEY, now=proving.now)}).json
    header, _ = _claims(town, tokens["access_token"])
    assert header["alg"] == {"standard": "RS256", "fapi2": "ES256"}[profile]
