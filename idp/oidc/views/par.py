"""`POST /par` (RFC 9126): a client leaves its request here first, and brings its resident with a reference to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.oidc import dpop, pushed
from idp.oidc.authenticate import authenticate_client
from idp.oidc.checks import run_checks
from idp.oidc.drafts import new_draft
from idp.oidc.errors import Refusal
from idp.oidc.views.token import refused
from idp.web.answers import Answer, json_answer
from idp.web.incoming import Parameters

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.oidc.request import Draft
    from idp.web.incoming import Incoming

PATH = "/par"
#: What authenticates the client is no part of its request (RFC 9126 §2.1).
_AUTHENTICATION = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


def answer(provider: Provider, incoming: Incoming) -> Answer:
    """A reference to the request, once the client is authenticated and every check has passed (RFC 9126 §2)."""
    try:
        client = authenticate_client(provider, incoming, path=PATH, takes_proof=True)
        jkt = dpop.proven_key(provider, incoming, PATH, needs_nonce=client.profile.dpop_nonce)
        draft = _checked(provider, client, incoming)
        _bind(draft, jkt)
    except Refusal as refusal:
        return refused(refusal, incoming)
    ctx, lasts_for = provider.context, client.profile.request_for
    request_uri = pushed.keep(
        ctx.database.fast,
        ctx.vault,
        draft.frozen(),
        login_hint=draft.unverified.get("login_hint", ""),
        lasts_for=lasts_for,
        now=ctx.now(),
    )
    body = {"request_uri": request_uri, "expires_in": lasts_for}
    return json_answer(201, body, *dpop.next_nonce(incoming))


def _checked(provider: Provider, client: Client, incoming: Incoming) -> Draft:
    given = {name: value for name, value in incoming.form.items() if name not in _AUTHENTICATION}
    draft = new_draft(provider, Parameters({**given, "client_id": client.client_id}))
    draft.is_pushed = True
    run_checks(draft)
    return draft


def _bind(draft: Draft, jkt: str | None) -> None:
    """Bind the code to the key that the client proves now; it may not name another one (RFC 9449 §10.1)."""
    if jkt is None:
        return
    if draft.dpop_jkt not in (None, jkt):
        raise Refusal("invalid_dpop_proof", "dpop_jkt names another key than the DPoP proof")
    draft.dpop_jkt = jkt
