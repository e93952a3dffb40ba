"""Client authentication: exactly one method, the one the client registered (RFC 6749 §2.3, ASVS 10.4.10)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from idp.oidc.errors import Refusal
from idp.web.incoming import form_decoded

if TYPE_CHECKING:
    from idp.clients.registry import Client, ClientRegistry
    from idp.web.incoming import Incoming


def authenticate_client(clients: ClientRegistry, incoming: Incoming) -> Client:
    """The client that made a request to a back-channel endpoint.

    Raises:
        Refusal: invalid_request for two methods at once or a repeated parameter, else invalid_client.
    """
    form = incoming.form
    if form.repeated:
        raise Refusal("invalid_request", "A parameter is given more than once")
    authorization = incoming.header("HTTP_AUTHORIZATION")
    if "client_assertion" in form or "client_assertion_type" in form:
        raise Refusal("invalid_client", "Client assertions are not supported", status=401)
    if authorization:
        return _by_basic(clients, authorization, form.get("client_id"), has_secret="client_secret" in form)
    if "client_secret" in form:
        return _checked(clients, form.get("client_id", ""), "client_secret_post", form["client_secret"])
    return _public(clients, form.get("client_id", ""))


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


def _public(clients: ClientRegistry, unverified_id: str) -> Client:
    client = clients.find(unverified_id)
    if client is None or not client.is_public:
        raise Refusal("invalid_client", "Client authentication is missing or failed", status=401)
    return client
