"""Clients that register themselves, and keys that turn (OIDC Registration, RFC 7591, OIDC Core §10.1.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from joserfc import jws

from tests.conformance.run import assertion, by_key, new_key
from tests.support.proving import jwks

if TYPE_CHECKING:
    from tests.conformance.run import Run


def oidcc_userinfo_rs256(run: Run) -> None:
    """OIDC Core §5.3.2: userinfo as a JWT signed with RS256, with iss and aud and without a nonce."""
    client = by_key(run.suite, way=run.way, userinfo_signed_response_alg="RS256")
    found = client.sign_in(run.suite.browser(), client.request("openid email"))
    got = run.suite.userinfo(found.access_token)
    assert (got.status, got.headers["content-type"]) == (200, "application/jwt")
    told = run.suite.read_id_token(got.text, "RS256")
    expected = (run.suite.issuer, client.client_id, found.claims["sub"])
    assert (told["iss"], told["aud"], told["sub"]) == expected
    assert "nonce" not in told
    assert told["email"]


def oidcc_registration_link(run: Run, name: str) -> None:
    """The sign-in page has a link to it; opening it tells the partner nothing but that somebody did."""
    address = run.hosted.address()
    client = by_key(run.suite, way=run.way, **{name: address})
    assert client.told[name] == address
    browser = run.suite.browser()
    client.sign_in(browser)
    shown = browser.pages[0]
    assert urlsplit(shown.url).path == "/login"
    assert f'<a href="{address}" rel="noreferrer">' in shown.text
    assert address not in run.hosted.asked


def oidcc_registration_logo_uri(run: Run) -> None:
    """The one module that nobody would pass: the address is kept, and no picture of a partner's is shown (decision 0025)."""
    address = run.hosted.address()
    client = by_key(run.suite, way=run.way, logo_uri=address)
    assert client.told["logo_uri"] == address
    browser = run.suite.browser()
    client.sign_in(browser)
    assert not any(address in page.text for page in browser.pages)
    assert address not in run.hosted.asked


def oidcc_registration_jwks_uri(run: Run) -> None:
    """Keys that are published instead of registered; nobody looks before they are needed, which is never without a code."""
    key = new_key()
    address = run.hosted.put(jwks(key))
    client = by_key(run.suite, key, way=run.way, jwks_uri=address)
    assert address not in run.hosted.asked
    client.sign_in(run.suite.browser())
    assert (address in run.hosted.asked) == run.way.brings("code")


def oidcc_registration_sector_uri(run: Run) -> None:
    """OIDC Registration §5, Core §8.1: accepted when the list has the redirect URI; who is in one list knows one `sub`."""
    elsewhere = "https://other.example/cb"
    address = run.hosted.named(run.hosted.put([run.suite.callback, elsewhere]))
    among = {"sector_identifier_uri": address, "subject_type": "pairwise"}
    clients = [
        by_key(run.suite, way=run.way, **among),
        by_key(run.suite, way=run.way, **among, redirect_uris=[elsewhere]),
        by_key(run.suite, way=run.way, subject_type="pairwise", redirect_uris=[elsewhere]),
    ]
    one, other, outside = (client.sign_in(run.suite.browser()).claims["sub"] for client in clients)
    assert one == other
    assert outside != one


def oidcc_registration_sector_bad(run: Run) -> None:
    """400 invalid_client_metadata when it has not."""
    address = run.hosted.put(["https://other.example/cb"])
    metadata = {"sector_identifier_uri": address, "subject_type": "pairwise"}
    got = run.suite.register(metadata, run.way)
    assert (got.status, got.json["error"]) == (400, "invalid_client_metadata")


def oidcc_server_rotate_keys(run: Run) -> None:
    """OIDC Core §10.1.1: another key of the same kind signs and a new one is published; the former is published still."""
    suite, client = run.suite, by_key(run.suite, way=run.way)
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
    suite.read_id_token(first.id_token, "RS256")
    second = client.sign_in(suite.browser())
    kids = [jws.extract_compact(one.id_token.encode()).headers()["kid"] for one in (first, second)]
    assert kids[0] != kids[1]


def oidcc_refresh_token_rp_key_rotation(run: Run) -> None:
    """A client that publishes a new key and signs with it is known by it: an unknown kid is looked up anew."""
    before, after = new_key(), new_key()
    address = run.hosted.put(jwks(before))
    client = by_key(run.suite, before, way=run.way, jwks_uri=address)
    request = client.request("openid offline_access", prompt="consent")
    first = client.sign_in(run.suite.browser(), request)
    run.suite.wait(60)
    run.hosted.put(jwks(after), address)
    client.assertion = assertion(run.suite, client, after)
    client.refreshed(first.tokens["refresh_token"], request)
    client.assertion = assertion(run.suite, client, before)
    assert client.token({"grant_type": "refresh_token", "refresh_token": "x"}).status == 401


def oidcc_ensure_client_assertion_with_iss_aud_succeeds(run: Run) -> None:
    """An assertion for the issuer is good as well."""
    key = new_key()
    client = by_key(run.suite, key, way=run.way)
    client.assertion = assertion(run.suite, client, key, "issuer")
    client.sign_in(run.suite.browser())


def oidcc_3rd_party_init_login(run: Run) -> None:
    """OIDC Core §4: `initiate_login_uri` is told at registration, and again when the registration is read."""
    address = run.hosted.address()
    told = by_key(run.suite, way=run.way, initiate_login_uri=address).told
    assert told["initiate_login_uri"] == address
    header = {"Authorization": f"Bearer {told['registration_access_token']}"}
    got = run.suite.send("GET", told["registration_client_uri"], headers=header)
    assert got.status == 200
    assert got.json["initiate_login_uri"] == address


def oidcc_3rd_party_init_login_nohttps(run: Run) -> None:
    """One that is not https is refused with invalid_client_metadata."""
    base = run.suite.callback.replace("https://", "http://", 1)
    got = run.suite.register({"initiate_login_uri": f"{base}/initiate"}, run.way)
    assert (got.status, got.json["error"]) == (400, "invalid_client_metadata")


MODULES = {
    "oidcc-userinfo-rs256": oidcc_userinfo_rs256,
    "oidcc-registration-logo-uri": oidcc_registration_logo_uri,
    "oidcc-registration-policy-uri": partial(oidcc_registration_link, name="policy_uri"),
    "oidcc-registration-tos-uri": partial(oidcc_registration_link, name="tos_uri"),
    "oidcc-registration-jwks-uri": oidcc_registration_jwks_uri,
    "oidcc-registration-sector-uri": oidcc_registration_sector_uri,
    "oidcc-registration-sector-bad": oidcc_registration_sector_bad,
    "oidcc-server-rotate-keys": oidcc_server_rotate_keys,
    "oidcc-refresh-token-rp-key-rotation": oidcc_refresh_token_rp_key_rotation,
    "oidcc-ensure-client-assertion-with-iss-aud-succeeds": oidcc_ensure_client_assertion_with_iss_aud_succeeds,
    "oidcc-3rd_party-init-login": oidcc_3rd_party_init_login,
    "oidcc-3rd_party-init-login-nohttps": oidcc_3rd_party_init_login_nohttps,
}
