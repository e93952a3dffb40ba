"""Plan `oidcc-dynamic-certification-test-plan`, response type code: clients that register themselves."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import RSAKey

from tests.support.proving import jwks, sign
from tests.support.tls import HttpsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.conftest import Inside
    from tests.conformance.suite import Client, Suite


def new_key() -> RSAKey:
    """A key of the suite's client."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_urlsafe(8), "alg": "RS256", "use": "sig"})


def by_key(suite: Suite, key: RSAKey | None = None, **metadata: Any) -> Client:
    """A client that registered itself for private_key_jwt; RS256, `aud` the token endpoint."""
    key = key or new_key()
    if "jwks_uri" not in metadata:
        metadata = {"jwks": jwks(key), **metadata}
    client = suite.registered(token_endpoint_auth_method="private_key_jwt", **metadata)
    client.assertion = assertion(suite, client, key)
    return client


def assertion(suite: Suite, client: Client, key: RSAKey, audience: str = "token_endpoint") -> Any:
    """Makes assertions (RFC 7523 §3)."""

    def make() -> str:
        now = int(suite.now())
        claims = {
            "iss": client.client_id,
            "sub": client.client_id,
            "aud": suite.metadata[audience],
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return sign(claims, key, {"alg": "RS256", "kid": key.kid})

    return make


class Hosted:
    """What the suite shows at addresses of its own; `asked` counts who came for it."""

    def __init__(self, inside: Inside) -> None:
        self.files: dict[str, Any] = {}
        self.asked: dict[str, int] = {}
        self.server = HttpsServer(inside.authority, self._respond)

    def _respond(self, _method: str, path: str, *_: Any) -> tuple[int, dict[str, str], bytes]:
        self.asked[path] = self.asked.get(path, 0) + 1
        if path not in self.files:
            return 404, {}, b""
        return 200, {"Content-Type": "application/json"}, json.dumps(self.files[path]).encode()

    def put(self, path: str, content: Any) -> str:
        self.files[path] = content
        return f"{self.server.url}{path}"


@pytest.fixture
def hosted(inside: Inside) -> Iterator[Hosted]:
    made = Hosted(inside)
    with made.server:
        yield made


def test_oidcc_server(suite: Suite) -> None:
    """Registration answers 201 with what RFC 7591 §3.2.1 wants; the client then signs a person in, and can be deleted."""
    client = by_key(suite)
    told = client.told
    assert told["registration_client_uri"].startswith("https://")
    header = {"Authorization": f"Bearer {told['registration_access_token']}"}
    client.sign_in(suite.browser(), client.request("openid profile"))
    assert suite.send("GET", told["registration_client_uri"], headers=header).json["client_id"]
    gone = suite.send("DELETE", told["registration_client_uri"], headers=header)
    assert (gone.status, gone.text) == (204, "")
    assert suite.send("GET", told["registration_client_uri"], headers=header).status == 401


def test_a_secret_comes_with_its_end(suite: Suite) -> None:
    """RFC 7591 §3.2.1: client_secret_expires_at whenever there is a secret."""
    client = suite.registered()
    assert client.told["client_secret"]
    assert client.told["client_secret_expires_at"] == 0
    client.sign_in(suite.browser())


def test_oidcc_idtoken_rs256(suite: Suite) -> None:
    """A client that registers for RS256 gets it."""
    client = by_key(suite, id_token_signed_response_alg="RS256")
    client.sign_in(suite.browser())


def test_oidcc_userinfo_rs256(suite: Suite) -> None:
    """OIDC Core §5.3.2: userinfo as a JWT signed with RS256, with iss and aud and without a nonce."""
    client = by_key(suite, userinfo_signed_response_alg="RS256")
    found = client.sign_in(suite.browser(), client.request("openid email"))
    got = suite.userinfo(found.tokens["access_token"])
    assert (got.status, got.headers["content-type"]) == (200, "application/jwt")
    told = suite.read_id_token(got.text, "RS256")
    assert (told["iss"], told["aud"], told["sub"]) == (
        suite.issuer,
        client.client_id,
        found.claims["sub"],
    )
    assert "nonce" not in told
    assert told["email"]


def _refused(suite: Suite, client: Client, **change: str | None) -> None:
    """A page at the endpoint, never a redirect."""
    arrival = suite.browser().visit(suite.metadata["authorization_endpoint"], client.request(**change))
    assert arrival.page is not None
    assert arrival.page.status == 400
    assert "redirect_uri" in arrival.page.text


def test_oidcc_ensure_redirect_uri_in_authorization_request(suite: Suite) -> None:
    """With two registered and none sent: a page (OIDC Core §3.1.2.1)."""
    uri = suite.printed["clients"]["basic"]["redirect_uris"][0]
    _refused(suite, by_key(suite, redirect_uris=[uri, f"{uri}/2"]), redirect_uri=None)


def test_oidcc_redirect_uri_query_ok(suite: Suite) -> None:
    """A query of a registered address is kept exactly."""
    uri = suite.printed["clients"]["basic"]["redirect_uris"][0] + "?foo=bar"
    client = by_key(suite, redirect_uris=[uri])
    request = client.request()
    arrival = suite.browser().visit(suite.metadata["authorization_endpoint"], request)
    assert arrival.parameters["foo"] == "bar"
    code = client.answered(arrival, request)
    client.checked(client.redeem(code), request, code)


def test_oidcc_redirect_uri_query_mismatch(suite: Suite) -> None:
    """Another value in the query is another address."""
    uri = suite.printed["clients"]["basic"]["redirect_uris"][0]
    _refused(suite, by_key(suite, redirect_uris=[f"{uri}?foo=bar"]), redirect_uri=f"{uri}?bar=foo")


def test_oidcc_redirect_uri_query_added(suite: Suite) -> None:
    """A query that was not registered makes another address."""
    client = by_key(suite)
    _refused(suite, client, redirect_uri=f"{client.redirect_uri}?foo=bar")


def test_oidcc_redirect_uri_regfrag(suite: Suite) -> None:
    """A fragment is refused when it is registered."""
    uri = suite.printed["clients"]["basic"]["redirect_uris"][0]
    got = suite.register({"redirect_uris": [f"{uri}#foo"]})
    assert got.status == 400
    assert got.json["error"] in {"invalid_redirect_uri", "invalid_client_metadata"}


def test_oidcc_registration_jwks_uri(suite: Suite, hosted: Hosted) -> None:
    """Keys that are published instead of registered; nobody looks before they are needed."""
    key = new_key()
    client = by_key(suite, key, jwks_uri=hosted.put("/jwks", jwks(key)))
    client.sign_in(suite.browser())
    assert hosted.asked["/jwks"] >= 1


def test_oidcc_refresh_token_rp_key_rotation(suite: Suite, hosted: Hosted) -> None:
    """A client that publishes a new key and signs with it is known by it: an unknown kid is looked up anew."""
    before, after = new_key(), new_key()
    client = by_key(suite, before, jwks_uri=hosted.put("/rotating", jwks(before)))
    request = client.request("openid offline_access", prompt="consent")
    first = client.sign_in(suite.browser(), request)
    suite.wait(60)
    hosted.put("/rotating", jwks(after))
    client.assertion = assertion(suite, client, after)
    client.checked(client.refresh(first.tokens["refresh_token"]), request)
    client.assertion = assertion(suite, client, before)
    assert client.token({"grant_type": "refresh_token", "refresh_token": "x"}).status == 401


def test_oidcc_registration_sector_uri(suite: Suite, hosted: Hosted) -> None:
    """OIDC Registration §5: accepted when the list has the redirect URI."""
    uri = suite.printed["clients"]["basic"]["redirect_uris"][0]
    client = by_key(suite, sector_identifier_uri=hosted.put("/sector", [uri]), subject_type="pairwise")
    client.sign_in(suite.browser())


def test_oidcc_registration_sector_bad(suite: Suite, hosted: Hosted) -> None:
    """400 invalid_client_metadata when it has not."""
    address = hosted.put("/bad-sector", ["https://other.example/cb"])
    got = suite.register({"sector_identifier_uri": address, "subject_type": "pairwise"})
    assert (got.status, got.json["error"]) == (400, "invalid_client_metadata")


def test_oidcc_server_rotate_keys(suite: Suite) -> None:
    """OIDC Core §10.1.1: a new signing key of the same kind, and the former one is published still."""
    client = by_key(suite)
    first = client.sign_in(suite.browser())
    before = {key["kid"]: key for key in suite.keys()["keys"]}
    hook = suite.printed["hooks"]["rotate_keys"]
    assert suite.send("POST", hook["url"]).status == 401
    assert suite.send("POST", hook["url"], headers={"Authorization": "Bearer x"}).status == 401
    assert suite.send("POST", hook["url"], headers={"Authorization": hook["authorization"]}).status == 200
    after = {key["kid"]: key for key in suite.keys()["keys"]}
    new = [after[kid] for kid in after.keys() - before.keys()]
    assert {key["kty"] for key in new} == {"RSA", "EC"}
    assert all(key.get("n", key.get("x")) not in str(before) for key in new)
    assert before.keys() <= after.keys()
    suite.read_id_token(first.tokens["id_token"], "RS256")
    client.sign_in(suite.browser())


def test_oidcc_refresh_token(suite: Suite) -> None:
    """A refresh token is bound to the client that it was given to."""
    client, other = by_key(suite), by_key(suite)
    request = client.request("openid offline_access", prompt="consent")
    first = client.sign_in(suite.browser(), request)
    client.checked(client.refresh(first.tokens["refresh_token"]), request)
    second = client.sign_in(suite.browser(), request)
    got = other.refresh(second.tokens["refresh_token"])
    assert (got.status, got.json["error"]) == (400, "invalid_grant")


def test_oidcc_ensure_client_assertion_with_iss_aud_succeeds(suite: Suite) -> None:
    """An assertion for the issuer is good as well."""
    key = new_key()
    client = by_key(suite, key)
    client.assertion = assertion(suite, client, key, "issuer")
    client.sign_in(suite.browser())


def test_who_registers_without_a_token_is_told_nothing_about_anybody(suite: Suite) -> None:
    """The purpose for every claim comes with the printed token alone."""
    callback = suite.printed["clients"]["basic"]["redirect_uris"][0]
    body = json.dumps({"redirect_uris": [callback]})
    header = {"Content-Type": "application/json"}
    got = suite.send("POST", suite.metadata["registration_endpoint"], headers=header, body=body)
    assert got.status == 201
    from tests.conformance.suite import Client

    client = Client(suite, got.json, "client_secret_basic")
    found = client.sign_in(suite.browser(), client.request("openid profile email"))
    assert set(suite.userinfo(found.tokens["access_token"]).json) == {"sub"}


def test_a_deleted_client_is_unknown(suite: Suite) -> None:
    """RFC 7592 §2.3."""
    client = by_key(suite)
    header = {"Authorization": f"Bearer {client.told['registration_access_token']}"}
    assert suite.send("DELETE", client.told["registration_client_uri"], headers=header).status == 204
    arrival = suite.browser().visit(suite.metadata["authorization_endpoint"], client.request())
    assert arrival.page is not None
    assert arrival.page.status == 400
