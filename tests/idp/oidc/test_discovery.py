"""Discovery says exactly what is there; keys are published so that caches do no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.oidc.views.discovery import CONSENT
from tests.support.settled import assert_refused_back, parameters
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.settled import Settled
    from tests.support.town import Town

DISCOVERY = "/.well-known/openid-configuration"
CACHED = ("/jwks", DISCOVERY, "/.well-known/oauth-authorization-server")
#: OIDC Discovery §3 and RFC 8414 §2: what must be there, and what we promise besides.
REQUIRED = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
}
METHODS = {
    "authorization_endpoint": "GET",
    "pushed_authorization_request_endpoint": "POST",
    "device_authorization_endpoint": "POST",
    "token_endpoint": "POST",
    "userinfo_endpoint": "GET",
    "introspection_endpoint": "POST",
    "revocation_endpoint": "POST",
    "end_session_endpoint": "GET",
    "jwks_uri": "GET",
}


def _get(town: Town, path: str, method: str = "GET", **headers: str) -> TestResponse:
    return town.app.test_client().open(path, method=method, base_url=ISSUER, headers=headers)


@pytest.fixture
def metadata(settled: Settled) -> dict[str, Any]:
    found: dict[str, Any] = _get(settled.town, DISCOVERY).json
    return found


def test_what_must_be_there_is_there(metadata: dict[str, Any]) -> None:
    """OIDC Discovery §3; the issuer is the one of the tokens, to the byte."""
    assert set(metadata) >= REQUIRED
    assert metadata["issuer"] == ISSUER
    assert all(value not in (None, "", []) for value in metadata.values())


def test_what_is_our_own_is_listed_apart(settled: Settled, metadata: dict[str, Any]) -> None:
    """The document of OpenID Connect holds registered names alone; every address of ours is there and answers."""
    own = _get(settled.town, CONSENT).json
    assert own.pop("issuer") == metadata["issuer"]
    assert own
    assert not set(own) & set(metadata)
    for name, address in own.items():
        path, method = address.removeprefix(ISSUER), "POST" if name.endswith("_endpoint") else "GET"
        assert _get(settled.town, path, method).status_code in (200, 401), name


def test_every_listed_endpoint_answers_and_no_other_is_listed(
    settled: Settled, metadata: dict[str, Any]
) -> None:
    """No endpoint is promised that is not there: none answers 404, 405 or 5xx to its own method."""
    listed = {name for name in metadata if name.endswith("_endpoint") or name == "jwks_uri"}
    assert listed == set(METHODS)
    for name, method in METHODS.items():
        path = metadata[name].removeprefix(ISSUER)
        assert metadata[name].startswith(f"{ISSUER}/")
        status = _get(settled.town, path, method).status_code
        assert status < 500, name
        assert status not in (404, 405), name


def test_every_listed_way_of_authentication_is_understood(settled: Settled, metadata: dict[str, Any]) -> None:
    """Basic, form and none each have a client in town that uses it; assertions are tried in their own tests."""
    town = settled.town
    used = {town.library.method, town.tax.method, town.public.method, "client_secret_jwt", "private_key_jwt"}
    assert set(metadata["token_endpoint_auth_methods_supported"]) == used
    assert set(metadata["revocation_endpoint_auth_methods_supported"]) == used
    assert set(metadata["introspection_endpoint_auth_methods_supported"]) == used - {"none"}
    for partner in (town.library, town.tax, town.public):
        assert town.call("/revoke", partner, {"token": "x"}).status_code == 200
    for partner in (town.library, town.tax):
        assert town.introspect(partner, "x").status_code == 200
    assert town.introspect(town.public, "x").status_code == 401


def test_grants_and_types_are_those_listed_and_no_others(settled: Settled, metadata: dict[str, Any]) -> None:
    """A grant that is not listed is unsupported, one that is listed is judged on its merits."""
    town = settled.town
    others = ["password", "implicit", "fish"]
    listed = {*metadata["grant_types_supported"]} - {"implicit"}  # that one is of the authorization endpoint
    for grant_type in [*sorted(listed), *others]:
        error = town.call("/token", town.library, {"grant_type": grant_type}).json["error"]
        assert (error == "unsupported_grant_type") == (grant_type in others)
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_requests_by_value_and_by_reference_are_read_or_refused(
    settled: Settled, metadata: dict[str, Any]
) -> None:
    """OIDC Core §6.1, §6.2, §3.1.2.6: never silently ignored."""
    for name, error in (("request", "invalid_request_object"), ("request_uri", "invalid_request_uri")):
        assert metadata[f"{name}_parameter_supported"] is True
        assert_refused_back(settled.ask(parameters(settled.town.library, **{name: "x"})), error)
    refused = settled.ask(parameters(settled.town.library, registration="{}"))
    assert_refused_back(refused, "registration_not_supported")


def test_every_listed_prompt_scope_and_claim_is_known(metadata: dict[str, Any]) -> None:
    """The lists are the ones that the code works with."""
    from idp.oidc.checks.prompt import KNOWN
    from idp.oidc.rules import CLAIMS, SCOPES

    assert set(metadata["prompt_values_supported"]) == KNOWN
    assert metadata["scopes_supported"] == list(SCOPES)
    assert set(metadata["claims_supported"]) >= set(CLAIMS)


def test_listed_algorithms_are_those_of_the_published_keys(
    settled: Settled, metadata: dict[str, Any]
) -> None:
    """Every algorithm has a key, and nothing but public signing keys is published."""
    keys = _get(settled.town, "/jwks").json["keys"]
    assert {key["alg"] for key in keys} == set(metadata["id_token_signing_alg_values_supported"])
    assert {key["use"] for key in keys} == {"sig"}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"}.intersection(*map(set, keys))
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)


@pytest.mark.parametrize("path", CACHED)
def test_an_unchanged_document_is_not_sent_again(settled: Settled, path: str) -> None:
    """RFC 9110 §13.1.2, §15.4.5: 304 with the headers that a cache needs and no body."""
    town = settled.town
    full = _get(town, path)
    etag = full.headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = _get(town, path, **{"If-None-Match": condition})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert answer.headers["Cache-Control"] == full.headers["Cache-Control"]
    for condition in ('"other"', "", etag.strip('"')):
        assert _get(town, path, **{"If-None-Match": condition}).status_code == 200


@pytest.mark.parametrize("path", CACHED)
def test_head_has_the_headers_of_get(settled: Settled, path: str) -> None:
    """RFC 9110 §9.3.2."""
    full, head = _get(settled.town, path), _get(settled.town, path, "HEAD")
    assert (head.status_code, head.data) == (200, b"")
    length = head.headers.pop("Content-Length", None)
    if length != "0":  # Flask's own dispatch counts the bytes it sends; nobody is served by it here
        assert length == str(len(full.data))
    assert dict(head.headers) == {n: v for n, v in full.headers if n != "Content-Length"}


@pytest.mark.parametrize("path", CACHED)
def test_documents_may_be_cached_and_read_from_anywhere(settled: Settled, path: str) -> None:
    """Keys for an hour, which rotation outlasts; both are public, so any page may read them."""
    headers = _get(settled.town, path).headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == f"public, max-age={3600 if path == '/jwks' else 300}"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("path", [*CACHED, "/token", "/introspect", "/revoke", "/userinfo"])
def test_a_method_that_does_not_belong_there_is_refused(settled: Settled, path: str) -> None:
    """RFC 9110 §15.5.6: 405 with Allow."""
    for method in ("DELETE", "PUT", "POST" if path in CACHED else "PATCH"):
        answer = _get(settled.town, path, method)
        assert answer.status_code == 405
        assert method not in answer.headers["Allow"]
