"""Request objects (OIDC Core §6). The suite sends unsigned ones, and skips where `none` is not advertised, as here."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from tests.conformance.client import refusal
from tests.conformance.run import by_key, new_key
from tests.support.proving import b64, jwks, sign

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

    from tests.conformance.client import Client
    from tests.conformance.run import Run


def oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(run: Run) -> None:
    """By value: refused, with the error at the client's address, and nobody is asked anything."""
    client, _ = _registered(run)
    request = client.request()
    _refused(run, client, request, {"request": _unsigned(run, client, request)})


def oidcc_request_uri_unsigned(run: Run) -> None:
    """By reference: not fetched when it is registered, and refused when it is read."""
    address = run.hosted.address()
    uri = _with_hash(address)
    client, _ = _registered(run, request_uris=[uri])
    assert address not in run.hosted.asked
    request = client.request()
    run.hosted.put(_unsigned(run, client, request), address)
    _refused(run, client, request, {"request_uri": uri})
    assert run.hosted.asked[address] == 1


def oidcc_ensure_request_object_with_redirect_uri(run: Run) -> None:
    """The redirect_uri of the object counts, and not the one outside: shown with a signed object."""
    client, key = _registered(run)
    request = client.request()
    outside = {**_outside(request), "redirect_uri": f"{client.redirect_uri}/{secrets.token_urlsafe(8)}"}
    text = _signed(run, client, request, key)
    arrival = client.visit(run.suite.browser(), {**outside, "request": text})
    client.finish(arrival, request)


def oidcc_request_uri_signed_rs256(run: Run) -> None:
    """A signed object at a registered address, whose fragment is no hash of it: fetched when it is asked for, and good."""
    metadata = run.suite.metadata
    assert metadata["request_uri_parameter_supported"] is True
    assert "RS256" in metadata["request_object_signing_alg_values_supported"]
    address = run.hosted.address()
    uri = _with_hash(address)
    client, key = _registered(run, request_uris=[uri], request_object_signing_alg="RS256")
    assert address not in run.hosted.asked
    request = client.request()
    run.hosted.put(_signed(run, client, request, key), address)
    arrival = client.visit(run.suite.browser(), {**_outside(request), "request_uri": uri})
    client.finish(arrival, request)
    assert run.hosted.asked[address] == 1
    elsewhere = run.hosted.put(_signed(run, client, request, key))
    outside = {**_outside(request), **_way_back(request), "request_uri": _with_hash(elsewhere)}
    assert refusal(client.visit(run.suite.browser(), outside), request, run.way) == "invalid_request_uri"
    assert elsewhere not in run.hosted.asked


def _registered(run: Run, **metadata: Any) -> tuple[Client, RSAKey]:
    """A client with a key to sign with."""
    key = new_key()
    if run.is_dynamic:
        return by_key(run.suite, key, way=run.way, **metadata), key
    return run.suite.registered(run.way, jwks=jwks(key), **metadata), key


def _refused(run: Run, client: Client, request: dict[str, str], carried: dict[str, str]) -> None:
    """Since `none` is not advertised."""
    assert "none" not in run.suite.metadata["request_object_signing_alg_values_supported"]
    browser = run.suite.browser()
    arrival = client.visit(browser, {**_outside(request), **_way_back(request), **carried})
    assert refusal(arrival, request, run.way) == "invalid_request_object"
    assert browser.sign_ins == 0


def _outside(request: dict[str, str]) -> dict[str, str]:
    """What OAuth wants outside of the object as well."""
    return {name: request[name] for name in ("client_id", "response_type", "scope")}


def _way_back(request: dict[str, str]) -> dict[str, str]:
    """Where an error can go although the object is refused."""
    return {name: request[name] for name in ("redirect_uri", "state", "response_mode") if name in request}


def _claims(run: Run, client: Client, request: dict[str, str]) -> dict[str, Any]:
    return {"iss": client.client_id, "aud": run.suite.issuer, **request}


def _signed(run: Run, client: Client, request: dict[str, str], key: RSAKey) -> str:
    return sign(_claims(run, client, request), key, {"alg": "RS256", "kid": key.kid})


def _unsigned(run: Run, client: Client, request: dict[str, str]) -> str:
    header, claims = {"alg": "none"}, _claims(run, client, request)
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."


def _with_hash(address: str) -> str:
    """As the suite registers it: the fragment tells versions apart and matches no content."""
    return f"{address}#{secrets.token_urlsafe(16)}"


MODULES = {
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": (
        oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported
    ),
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": oidcc_request_uri_unsigned,
    "oidcc-request-uri-unsigned": oidcc_request_uri_unsigned,
    "oidcc-request-uri-signed-rs256": oidcc_request_uri_signed_rs256,
    "oidcc-ensure-request-object-with-redirect-uri": oidcc_ensure_request_object_with_redirect_uri,
}
