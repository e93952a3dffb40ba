"""A waiting request that this browser cannot go on with: another browser's, one that waited too long, one that is over.

What waits for one browser is never answered in another (K09). The other browser may only begin anew: the same
request as a row of its own, with nobody signed in for it and nothing typed carried over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, make_response, redirect, render_template, request
from flask_babel import gettext

from idp.oidc import interactions
from idp.oidc.errors import Refusal
from idp.oidc.interactions import State
from idp.oidc.response import refuse
from idp.oidc.wiring import provider as current_provider
from idp.web.csrf import browser_id
from idp.web.pages import as_response, error_page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.clients.registry import Client
    from idp.oidc.interactions import Lost
    from idp.oidc.request import AuthorizationRequest

bp = Blueprint("lost", __name__)


def lost(unverified_handle: str) -> Response:
    """A fresh start for another browser's request; back to the partner with one that waited too long; else the end."""
    found = _find(unverified_handle)
    client = client_of(found.request) if found else None
    if found is None or client is None or found.state is State.OVER:
        return over()
    if found.state is State.FOREIGN:
        g.form_targets = client.form_targets
        html = render_template("ui/login_elsewhere.html", client_name=client.name, flow=unverified_handle)
        return make_response(html, 409)
    return _too_late(found, client)


def leads_to(unverified_handle: str) -> str:
    """Where the answer to a request that waits for another browser may lead, for the policy of a page from which it goes on here."""
    found = _find(unverified_handle)
    client = client_of(found.request) if found else None
    return client.form_targets if client else ""


def client_of(kept: AuthorizationRequest) -> Client | None:
    """The client of a request that was kept; None when nobody may be sent there any more (RFC 9700 §2.1).

    It can have been switched off meanwhile, and a redirect URI can have been taken away from it.
    """
    client = current_provider().clients.find(kept.client_id)
    is_known = client is not None and (kept.device or client.check_redirect_uri(kept.redirect_uri))
    return client if is_known else None


def _too_late(found: Lost, client: Client) -> Response:
    """It waited too long: its own browser takes the partner's answer there, any other reads what happened."""
    provider = current_provider()
    ctx = provider.context
    with ctx.database.transaction() as session:
        may_answer = found.is_own and interactions.finish(session, found.id_hash, now=ctx.now())
    if not may_answer:
        return over()
    refusal = Refusal("access_denied", "The sign-in waited too long")
    return as_response(refuse(provider, client, found.request, refusal))


@bp.post("/authorize/restart")
def restart() -> Response:
    """Begin anew in this browser with the request of another one."""
    ctx = current_provider().context
    handle = request.form.get("flow", "")
    found = _find(handle)
    if found is None or found.state is not State.FOREIGN:
        return lost(handle)
    with ctx.database.transaction() as session:
        fresh = interactions.begin(
            session, ctx.vault, found.request, browser=browser_id(), login_hint="", now=ctx.now()
        )
    return redirect(f"/authorize/continue?flow={fresh}", 303)


@bp.get("/authorize/restart")
def back() -> Response:
    """A language link on that page leads here; the request itself knows what to show."""
    return lost(request.args.get("flow", ""))


def _find(unverified_handle: str) -> Lost | None:
    ctx = current_provider().context
    with ctx.database.reading() as session:
        return interactions.find_lost(session, unverified_handle, browser=browser_id(), now=ctx.now())


def over(error: str = "invalid_request flow") -> Response:
    """Nothing is left to go on with: where to begin anew."""
    return error_page(
        400,
        gettext("This sign-in has ended"),
        gettext("It was finished already, it waited too long, or it began in another browser."),
        gettext("Go back to the service you came from and sign in again."),
        oauth_error=error,
    )
