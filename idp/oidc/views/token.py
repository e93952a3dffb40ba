"""`POST /token` (RFC 6749 §3.2)."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from idp.oidc.dpop import next_nonce
from idp.oidc.errors import Refusal, refuse_repeated
from idp.oidc.grants.client_credentials import ClientCredentialsGrant
from idp.oidc.grants.code import CodeGrant
from idp.oidc.grants.device import DeviceGrant
from idp.oidc.grants.refresh import RefreshGrant
from idp.oidc.grants.server import TokenServer
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.oidc")


@cache
def _server(provider: Provider) -> TokenServer:
    server = TokenServer(provider)
    for grant in (CodeGrant, RefreshGrant, ClientCredentialsGrant, DeviceGrant):
        server.register_grant(grant)
    return server


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """Tokens, or a clear refusal; parameters in the address are never read."""
    try:
        refuse_repeated(incoming.form.repeated)
        if "grant_type" not in incoming.form:
            raise Refusal("invalid_request", "grant_type is missing")
        found: Answer = _server(provider).create_token_response(incoming)
    except Refusal as refusal:
        return refused(refusal, incoming)
    nonce = next_nonce(incoming)
    return found._replace(headers=[*found.headers, *nonce]) if nonce else found


def refused(refusal: Refusal, incoming: Incoming) -> Answer:
    """A refusal of a back-channel endpoint (RFC 6749 §5.2)."""
    log.info(
        "refused path=%s error=%s reason=%s", incoming.environ["PATH_INFO"], refusal.error, refusal.public
    )
    body = {"error": refusal.error, "error_description": refusal.public}
    if refusal.status == 401:  # noqa: PLR2004
        challenge = ("WWW-Authenticate", 'Basic realm="denizen", charset="UTF-8"')
        return json_answer(401, body, challenge, *refusal.headers)
    return json_answer(refusal.status, body, *refusal.headers)
