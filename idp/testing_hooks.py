"""`/testing/…`: what an unattended conformance run must make the town do, where `[testing] hook_secret` is set."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from idp.upkeep import rotate_keys
from idp.web.answers import json_answer

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.answers import Answer
    from idp.web.incoming import Incoming

ROTATE_KEYS = "/testing/rotate-keys"
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


def _is_allowed(incoming: Incoming, secret: str) -> bool:
    unverified = incoming.bearer() or ""
    return bool(secret) and hmac.compare_digest(unverified.encode(), secret.encode())
