"""Whole flows: what comes at the end of one, how often a code serves, how a token is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.conformance.client import Way, refusal
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.conformance.run import Run


def oidcc_server(run: Run) -> None:
    """A whole flow, with all that every module checks (§3.2); every access token of it is good at userinfo."""
    found = run.client().sign_in(run.suite.browser())
    for holder in (found.front, found.tokens):
        if "access_token" in holder:
            assert run.suite.userinfo(holder["access_token"]).json["sub"] == found.claims["sub"]


def oidcc_server_client_secret_post(run: Run) -> None:
    """The same with client_secret_post; both ways are advertised."""
    supported = run.suite.metadata["token_endpoint_auth_methods_supported"]
    assert {"client_secret_basic", "client_secret_post"} <= set(supported)
    name = "post" if run.way.response_type == "code" else "legacy-post"
    client = run.suite.client(name, run.way)
    assert client.method == "client_secret_post"
    client.sign_in(run.suite.browser())


def oidcc_response_type_missing(run: Run) -> None:
    """Refused with unsupported_response_type or invalid_request; in the query, for nothing says that tokens were asked for."""
    client = run.client()
    request = client.request(response_type=None)
    arrival = client.visit(run.suite.browser(), request)
    way = Way("code", run.way.response_mode)
    assert refusal(arrival, request, way) in {"unsupported_response_type", "invalid_request"}


def oidcc_idtoken_signature(run: Run) -> None:
    """Every ID token is signed with a published key that its header names."""
    found = run.client().sign_in(run.suite.browser())
    for holder in (found.front, found.tokens):
        if "id_token" in holder:
            assert run.suite.read_id_token(holder["id_token"], "RS256")["sub"] == found.claims["sub"]


def oidcc_idtoken_rs256(run: Run) -> None:
    """A client that registers for RS256 gets it."""
    client = run.suite.registered(run.way, id_token_signed_response_alg="RS256")
    client.sign_in(run.suite.browser())


def oidcc_idtoken_unsigned(run: Run) -> None:
    """Skipped by the suite where `none` is not advertised, as here; a client cannot register for it either."""
    assert "none" not in run.suite.metadata["id_token_signing_alg_values_supported"]
    assert run.suite.register({"id_token_signed_response_alg": "none"}, run.way).status == 400


def oidcc_userinfo(run: Run, by: str) -> None:
    """JSON, with the sub of the ID token, however the access token is shown (OIDC Core §5.3.1)."""
    found = run.client().sign_in(run.suite.browser())
    got = run.suite.userinfo(found.access_token, way=by)
    assert got.status == 200
    if found.claims:
        assert got.json["sub"] == found.claims["sub"]


def oidcc_ensure_request_without_nonce_succeeds_for_code_flow(run: Run) -> None:
    """OIDC Core §3.1.2.1: nonce is optional where no ID token comes through the browser, and then the ID token has none."""
    client = run.client()
    found = client.sign_in(run.suite.browser(), client.request(nonce=None))
    assert "nonce" not in found.claims


def oidcc_ensure_request_without_nonce_fails(run: Run) -> None:
    """OIDC Core §3.2.2.1, §3.3.2.11: where an ID token comes through the browser, a request without nonce is refused."""
    client = run.client()
    request = client.request(nonce=None)
    assert refusal(client.visit(run.suite.browser(), request), request, run.way) == "invalid_request"


def oidcc_ensure_request_with_valid_pkce_succeeds(run: Run) -> None:
    """RFC 7636: a challenge is not in the way, and is then demanded at the token endpoint."""
    client, proof, browser = run.client(), Proof(), run.suite.browser()
    request = client.request(code_challenge=proof.challenge, code_challenge_method="S256")
    code = client.answered(client.visit(browser, request), request)
    assert client.redeem(code).json["error"] == "invalid_grant"
    client.finish(client.visit(browser, request), request, code_verifier=proof.verifier)


def oidcc_ensure_post_request_succeeds(run: Run) -> None:
    """OIDC Core §3.1.2.1: authorization requests come by POST, too."""
    run.client().sign_in(run.suite.browser(), method="POST")


def oidcc_codereuse(run: Run, after: int) -> None:
    """400 invalid_grant at the second use, and the access token of the first is dead (RFC 6749 §4.1.2)."""
    client = run.client()
    found = client.sign_in(run.suite.browser())
    given = [holder["access_token"] for holder in (found.front, found.tokens) if "access_token" in holder]
    assert {run.suite.userinfo(token).status for token in given} == {200}
    run.suite.wait(after)
    got = client.redeem(found.code)
    assert (got.status, got.json["error"]) == (400, "invalid_grant")
    assert {run.suite.userinfo(token).status for token in given} == {401}


def oidcc_refresh_token(run: Run) -> None:
    """The refreshed ID token is of the same sign-in with a new iat; the token is of no use to another client."""
    assert "refresh_token" in run.suite.metadata["grant_types_supported"]
    client, other = run.client(), run.second()
    request = client.request("openid offline_access", prompt="consent")
    first = client.sign_in(run.suite.browser(), request)
    run.suite.wait(1)
    refreshed = client.refreshed(first.tokens["refresh_token"], request)
    for name in ("iss", "sub", "aud", "auth_time", "azp"):
        assert refreshed.claims.get(name) == first.claims.get(name), name
    assert refreshed.claims["iat"] > first.claims["iat"]
    assert run.suite.userinfo(refreshed.access_token).status == 200
    token = refreshed.tokens.get("refresh_token", first.tokens["refresh_token"])
    got = other.refresh(token)
    assert (got.status, got.json["error"]) == (400, "invalid_grant")
    client.refreshed(token, request)  # so that it was refused to the other one for being another's


MODULES = {
    "oidcc-server": oidcc_server,
    "oidcc-server-client-secret-post": oidcc_server_client_secret_post,
    "oidcc-response-type-missing": oidcc_response_type_missing,
    "oidcc-idtoken-signature": oidcc_idtoken_signature,
    "oidcc-idtoken-rs256": oidcc_idtoken_rs256,
    "oidcc-idtoken-unsigned": oidcc_idtoken_unsigned,
    "oidcc-userinfo-get": partial(oidcc_userinfo, by="GET"),
    "oidcc-userinfo-post-header": partial(oidcc_userinfo, by="POST"),
    "oidcc-userinfo-post-body": partial(oidcc_userinfo, by="body"),
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow": (
        oidcc_ensure_request_without_nonce_succeeds_for_code_flow
    ),
    "oidcc-ensure-request-without-nonce-fails": oidcc_ensure_request_without_nonce_fails,
    "oidcc-ensure-request-with-valid-pkce-succeeds": oidcc_ensure_request_with_valid_pkce_succeeds,
    "oidcc-ensure-post-request-succeeds": oidcc_ensure_post_request_succeeds,
    "oidcc-codereuse": partial(oidcc_codereuse, after=0),
    "oidcc-codereuse-30seconds": partial(oidcc_codereuse, after=30),
    "oidcc-refresh-token": oidcc_refresh_token,
}
