"""`/testing/…`: what an unattended conformance run needs of the town, where `[testing] hook_secret` is set."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from idp.oidc import service
from idp.oidc.authorization_details import read_kept
from idp.oidc.binding import check_presented
from idp.oidc.dpop import ALGORITHMS, next_nonce
from idp.oidc.errors import Refusal
from idp.oidc.lasting import left
from idp.upkeep import rotate_keys
from idp.web.answers import json_answer

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.answers import Answer
    from idp.web.incoming import Incoming

ROTATE_KEYS = "/testing/rotate-keys"
RESOURCE = "/testing/resource"
#: The Foundation's suite cannot read a new key of another kind; a town whose set has one turns it by command.
_TURNED = ("RS256", "ES256", "PS256")


def rotate(provider: Provider, incoming: Incoming) -> Answer:
    """`POST /testing/rotate-keys`: the next keys sign from now on, however short they have been published."""
    context = provider.context
    if not _is_allowed(incoming, context.settings.testing.hook_secret):
        return json_answer(401, {"error": "invalid_token"}, ("WWW-Authenticate", "Bearer"))
    algorithms = [alg for alg in context.settings.keys.algorithms if alg in _TURNED]
    events = [
        event for alg in algorithms for event in rotate_keys(context, alg=alg, force=True, now=context.now())
    ]
    provider.forget()
    told = [{"event": type(event).__name__, "alg": event.alg, "kid": event.kid} for event in events]
    return json_answer(200, {"keys": told})


def resource(provider: Provider, incoming: Incoming) -> Answer:
    """`GET /testing/resource`: an API that answers whoever brings a live token and proves to hold its key.

    Userinfo is no such API for plans without OpenID Connect: it answers for the scope `openid` alone. Whoever brings no
    token has made no error (RFC 6750 §3.1).
    """
    presented = incoming.presented()
    if presented is None:
        return json_answer(401, {}, ("WWW-Authenticate", f'DPoP algs="{" ".join(ALGORITHMS)}", Bearer'))
    try:
        token = _live(provider, incoming, *presented)
    except Refusal as refusal:
        challenge = ("WWW-Authenticate", f'DPoP error="{refusal.error}", Bearer error="{refusal.error}"')
        return json_answer(refusal.status, {"error": refusal.error}, challenge, *refusal.headers)
    told = {"client_id": token.client_id, "scope": token.scope}
    details = read_kept(getattr(token, "authorization_details", None))
    if details:
        told["authorization_details"] = details
    return json_answer(200, told, *next_nonce(incoming))


def _live(provider: Provider, incoming: Incoming, scheme: str, unverified_token: str) -> Any:
    """The row of a live token of a resident or of a client for itself, whose key the caller holds.

    Raises:
        Refusal: with status 401.
    """
    connection, now = provider.context.database.fast, provider.context.now()
    token = service.find_token(connection, unverified_token, now=now)
    if token is None:
        token = service.find_own_token(connection, unverified_token, now=now)
    elif left(provider, connection, token.client_id, token, now=now) is None:
        token = None
    if token is None or token.resource is not None or provider.clients.find(token.client_id) is None:
        raise Refusal("invalid_token", "The access token is not valid here, or not any more", status=401)
    check_presented(
        provider,
        incoming,
        RESOURCE,
        scheme=scheme,
        access_token=unverified_token,
        binding=token.confirmation,
    )
    return token


def _is_allowed(incoming: Incoming, secret: str) -> bool:
    unverified = incoming.bearer() or ""
    return bool(secret) and hmac.compare_digest(unverified.encode(), secret.encode())
