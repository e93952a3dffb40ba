"""`/authorize/continue`: the next thing that a waiting request needs of its resident.

It is worked out anew each time, from rows of ours alone, so tabs, reloads and back buttons are harmless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flask import Blueprint, redirect, request

from idp.login.current import signed_in
from idp.login.views import flow_is_over
from idp.oidc import decisions, interactions, service
from idp.oidc.errors import Refusal
from idp.oidc.response import authorization_url, error_url
from idp.oidc.rules import owes_sign_in
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import browser_id
from idp.web.languages import prefer

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.login.sessions import SignedIn
    from idp.oidc.interactions import Waiting
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest

bp = Blueprint("interaction", __name__)


class Ready(NamedTuple):
    """A request whose resident is signed in as it demands."""

    waiting: Waiting
    session: SignedIn
    client: Client


def waiting_request(unverified_handle: str) -> Waiting | None:
    """The request behind a handle, if it waits and is this browser's; pages are then in its language."""
    ctx = current_provider().context
    with ctx.database.reading() as session:
        waiting = interactions.find(
            session, ctx.vault, unverified_handle, browser=browser_id(), now=ctx.now()
        )
    if waiting is not None:
        prefer(waiting.request.ui_locales)
    return waiting


def ready(unverified_handle: str) -> Ready | Response:
    """What a page works with; or where to go, when the flow is over or a sign-in is owed."""
    provider = current_provider()
    waiting = waiting_request(unverified_handle)
    client = provider.clients.find(waiting.request.client_id) if waiting else None
    if waiting is None or client is None:
        return flow_is_over()
    session = signed_in()
    owes = owes_sign_in(
        waiting.request,
        authenticated_at=session.authenticated_at if session else None,
        signed_in_at=waiting.signed_in_at,
        now=provider.context.now(),
    )
    if session is not None and not owes and is_expected(provider, waiting.request, session):
        return Ready(waiting, session, client)
    if not owes and waiting.signed_in_at is not None:
        return answered_with(unverified_handle, Refusal("login_required", "Somebody else signed in"))
    return redirect(f"/login?flow={unverified_handle}#main", 303)


def is_expected(provider: Provider, asked: AuthorizationRequest, session: SignedIn) -> bool:
    """Whether this is the resident whom the client's id_token_hint names, if it names one."""
    if asked.subject is None:
        return True
    client = provider.clients.find(asked.client_id)
    if client is None:
        return False
    return service.subject_for(provider.context.vault, client, session.resident_id) == asked.subject


@bp.get("/authorize/continue")
def go_on() -> Response:
    """To the sign-in page, to the release page, or back to the client with a code."""
    handle = request.args.get("flow", "")
    found = ready(handle)
    if not isinstance(found, Ready):
        return found
    provider, asked = current_provider(), found.waiting.request
    ctx, now = provider.context, provider.context.now()
    purposes = provider.purposes_of(asked.client_id)
    with ctx.database.reading() as reading:
        grant = decisions.live_grant(reading, found.session.resident_id, asked.client_id)
    claims = decisions.requested_claims(asked.scope, purposes)
    covered = decisions.is_covered(grant, asked.scope, claims, purposes.notices_hash)
    if "consent" in asked.prompt or not covered:
        return redirect(f"/consent?flow={handle}#main", 303)
    with ctx.database.transaction() as writing:
        if not interactions.finish(writing, found.waiting.id_hash, now=now):
            return flow_is_over()
        code = service.add_authorization(
            writing, asked, grant_id=grant.id, signed_in=found.session, settings=ctx.settings.tokens, now=now
        )
    return redirect(authorization_url(asked.redirect_uri, provider.issuer, asked.state, code=code), 303)


def cancel(unverified_handle: str) -> Response:
    """The resident turned back: the client learns so (OIDC Core §3.1.2.6 access_denied)."""
    return answered_with(unverified_handle, Refusal("access_denied", "The resident cancelled"))


def answered_with(unverified_handle: str, refusal: Refusal) -> Response:
    """End a waiting request with an error for its client."""
    provider = current_provider()
    ctx = provider.context
    waiting = waiting_request(unverified_handle)
    if waiting is None:
        return flow_is_over()
    with ctx.database.transaction() as session:
        if not interactions.finish(session, waiting.id_hash, now=ctx.now()):
            return flow_is_over()
    asked = waiting.request
    return redirect(error_url(asked.redirect_uri, provider.issuer, asked.state, refusal), 303)
