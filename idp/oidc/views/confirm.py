"""`/authorize/as` and `/authorize/level`: two short questions before a waiting request goes on.

At a shared computer: is it still you? And where a partner asks for a safer sign-in than the resident has used: one
more proof, or on without it where the partner merely likes it, or back where there is no way to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request

from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.login import sessions
from idp.login.current import drop_session, signed_in
from idp.oidc import families, interactions
from idp.oidc.errors import Refusal
from idp.oidc.step_up import Owed, can_reach, missing
from idp.oidc.views.interaction import UNMET, answered_with, is_expected, standing, waiting_request, ways_of
from idp.oidc.views.lost import client_of, lost
from idp.oidc.wiring import provider as current_provider

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

bp = Blueprint("confirm", __name__)


@bp.get("/authorize/as")
def ask_who() -> str | Response:
    """Ask whether it is still the same person."""
    handle = request.args.get("flow", "")
    provider = current_provider()
    waiting, session = waiting_request(handle), signed_in()
    client = client_of(waiting.request) if waiting else None
    if client is None:
        return lost(handle)
    if session is None:
        return redirect(f"/authorize/continue?flow={handle}", 303)
    ctx = provider.context
    with ctx.database.reading() as reading:
        resident = reading.get(Resident, session.resident_id)
        known = accounts.read_attributes(reading, ctx.vault, resident) if resident else {}
    g.form_targets = client.form_targets
    return render_template(
        "ui/continue_as.html",
        client_name=client.name,
        resident_name=display_name(known.get("given_name", ""), known.get("family_name")),
        flow=handle,
    )


@bp.post("/authorize/as")
def answer_who() -> Response:
    """On as this resident; or the session of the one before ends, and whoever is here signs in."""
    handle = request.form.get("flow", "")
    ctx = current_provider().context
    waiting, session = waiting_request(handle), signed_in()
    if waiting is None:
        return lost(handle)
    response = redirect(f"/authorize/continue?flow={handle}#main", 303)
    if session is None:
        return response
    now = ctx.now()
    with ctx.database.transaction() as writing:
        if request.form.get("who") == "me":
            interactions.confirm(writing, waiting.id_hash, session.sid)
            return response
        sessions.is_held(writing, session)
        sessions.end(writing, session.sid, now=now)
        families.end_families_of_session(writing, session.resident_id, session.sid, now=now)
    drop_session(response, request_waits=True)
    return response


@bp.get("/authorize/level")
def ask_level() -> str | Response:
    """Ask for a safer sign-in, or say that there is no way to one."""
    handle = request.args.get("flow", "")
    provider = current_provider()
    waiting, session = waiting_request(handle), signed_in()
    client = client_of(waiting.request) if waiting else None
    if waiting is None or client is None:
        return lost(handle)
    demand, owed = standing(provider, waiting, client, session)
    if session is None or owed is not Owed.LEVEL or not is_expected(provider, waiting.request, session):
        return redirect(f"/authorize/continue?flow={handle}", 303)
    firm = demand.lacks(session.acr, keeps_level=True)
    found, wanted = ways_of(session), firm or demand.liked
    g.form_targets = client.form_targets
    return render_template(
        "ui/safer_sign_in.html",
        client_name=client.name,
        must=bool(firm),
        can=can_reach(found, wanted),
        missing=missing(found, wanted).value,
        flow=handle,
    )


@bp.post("/authorize/level")
def answer_level() -> Response:
    """One more proof, or on without, or back to the partner."""
    handle = request.form.get("flow", "")
    waiting = waiting_request(handle)
    if waiting is None:
        return lost(handle)
    said = request.form.get("level")
    if said == "raise":
        return redirect(f"/login?flow={handle}#main", 303)
    if said == "back":
        return answered_with(
            handle, Refusal(UNMET, "The resident has no way to sign in that is strong enough")
        )
    if said == "keep":
        with current_provider().context.database.transaction() as writing:
            interactions.keep_level(writing, waiting.id_hash)
    return redirect(f"/authorize/continue?flow={handle}#main", 303)
