"""Client authentication: exactly one method, the one the client registered (RFC 6749 §2.3, ASVS 10.4.10)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from idp.clients.profiles import TLS_METHODS
from idp.oidc import assertions, certificates
from idp.oidc.errors import Refusal, refuse_repeated
from idp.web.incoming import form_decoded

if TYPE_CHECKING:
    from idp.clients.registry import Client, ClientRegistry
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming


def authenticate_client(
    provider: Provider, incoming: Incoming, *, path: str, takes_proof: bool = False
) -> Client:
    """The client that made a request to a back-channel endpoint of ours, which is at `path`.

    `takes_proof`: a DPoP proof counts there, and the caller spends it.

    Never call it inside a transaction: it may spend an assertion, or fetch a key set.

    Raises:
        Refusal: invalid_request for two methods at once or a repeated parameter, invalid_target for a repeated
            `resource`, what is wrong with a proof, else invalid_client.
    """
    form = incoming.form
    refuse_repeated(form.repeated)
    authorization = incoming.header("HTTP_AUTHORIZATION")
    if "client_assertion" in form or "client_assertion_type" in form:
        return _by_assertion(provider, incoming, path, takes_proof=takes_proof)
    if authorization:
        return _by_basic(
            provider.clients, authorization, form.get("client_id"), has_secret="client_secret" in form
        )
    if "client_secret" in form:
        return _checked(
            provider.clients, form.get("client_id", ""), "client_secret_post", form["client_secret"]
        )
    return _by_name(provider, incoming)


def _by_assertion(provider: Provider, incoming: Incoming, path: str, *, takes_proof: bool) -> Client:
    form = incoming.form
    if incoming.header("HTTP_AUTHORIZATION") or "client_secret" in form:
        raise Refusal("invalid_request", "The client is authenticated in two ways at once")
    if form.get("client_assertion_type") != assertions.TYPE or "client_assertion" not in form:
        raise Refusal("invalid_client", f"client_assertion_type must be {assertions.TYPE}", status=401)
    return assertions.authenticate_by_assertion(provider, incoming, path=path, takes_proof=takes_proof)


def _by_basic(
    clients: ClientRegistry, authorization: str, body_id: str | None, *, has_secret: bool
) -> Client:
    if has_secret:
        raise Refusal("invalid_request", "The client is authenticated in two ways at once")
    unverified_id, secret = _read_basic(authorization)
    if body_id is not None and body_id != unverified_id:
        raise Refusal("invalid_request", "client_id differs from the one in the Authorization header")
    return _checked(clients, unverified_id, "client_secret_basic", secret)


def _read_basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        name, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not separator:
            raise ValueError(name)
        return form_decoded(name), form_decoded(secret)
    except (ValueError, binascii.Error):
        raise Refusal("invalid_client", "The Authorization header could not be read", status=401) from None


def _checked(clients: ClientRegistry, unverified_id: str, method: str, secret: str) -> Client:
    client = clients.find(unverified_id)
    if client is None or client.auth_method != method or not client.check_client_secret(secret):
        raise Refusal("invalid_client", "Client authentication failed", status=401)
    return client


def _by_name(provider: Provider, incoming: Incoming) -> Client:
    """A public client, or one that its certificate proves (RFC 6749 §2.1, RFC 8705 §2)."""
    client = provider.clients.find(incoming.form.get("client_id", ""))
    if client is not None and client.is_public:
        return client
    if client is not None and client.auth_method in TLS_METHODS:
        found = certificates.presented(incoming)
        if found is not None and certificates.is_of(provider, client, found, now=provider.context.now()):
            return client
    raise Refusal("invalid_client", "Client authentication is missing or failed", status=401)
