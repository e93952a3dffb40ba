"""`POST /revoke` (RFC 7009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.oidc import refresh_tokens
from idp.oidc.authenticate import authenticate_client
from idp.oidc.errors import Refusal
from idp.oidc.views.token import refused
from idp.web.answers import Answer, empty_answer

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """End a token of the asking client; the answer is the same whatever the token was (RFC 7009 §2.2)."""
    try:
        client = authenticate_client(provider, incoming, path="/revoke")
        unverified_token = incoming.form.get("token")
        if unverified_token is None:
            raise Refusal("invalid_request", "token is missing")
    except Refusal as refusal:
        return refused(refusal, incoming)
    ctx = provider.context
    with ctx.database.transaction() as session:
        refresh_tokens.revoke_token(session, unverified_token, client_id=client.client_id, now=ctx.now())
    return empty_answer(200)
