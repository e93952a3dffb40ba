"""Closing one's account, `/account/close`, and "This wasn't me", `/not-me/<link>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext

from idp.accounts import not_me
from idp.closing import service, suspicion
from idp.contacts.words import kept_name
from idp.login.changes import locked
from idp.login.current import drop_session, for_fresh_residents, for_residents, signed_in
from idp.login.ports import ports
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn

bp = Blueprint("closing", __name__)

_DAY = 86_400


@bp.app_context_processor
def _for_every_page() -> dict[str, Any]:
    """When the account of whoever is signed in ends by their own wish: for the pages that say so until they keep it."""

    def account_closes_at() -> int | None:
        session = signed_in()
        return _closes_by_wish_at(session) if session else None

    return {"account_closes_at": account_closes_at}


@bp.get("/account/close")
@for_residents
def show(session: SignedIn) -> str:
    """What closing means; or, while the account waits for its end, whether it is to be kept."""
    return _page(session, [])


@bp.post("/account/close")
@for_fresh_residents
def close(session: SignedIn) -> str | Response | tuple[str, int]:
    """Close the account after the grace period, and sign it out everywhere now."""
    if "sure" not in request.form:
        text = gettext("Tick the box if you want to close your account")
        return _page(session, [("sure", text)]), 422
    ctx = context()
    with ctx.database.transaction() as writing:
        resident, _ = locked(writing, session)
        closure = service.ask_to_close(writing, ctx, resident, now=ctx.now())
    if closure is None:
        return redirect("/account/close", 303)
    response = redirect("/account/closing", 303)
    drop_session(response)
    return response


@bp.get("/account/closing")
def closing() -> str:
    """Say that it is closed, and how to think better of it."""
    days = context().settings.accounts.close_grace_for // _DAY
    return render_template("ui/closing.html", days=days)


@bp.post("/account/close/keep")
@for_residents
def keep(session: SignedIn) -> Response:
    """Keep the account after all, and go on to where the sign-in led."""
    ctx = context()
    with ctx.database.transaction() as writing:
        service.keep(writing, ctx, locked(writing, session)[0].id, now=ctx.now())
    unverified_flow = request.form.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    return redirect(flow.next_url if flow else "/account?done=kept", 303)


@bp.get("/account/close/keep")
def back_to_close() -> Response:
    """The page for closing."""
    return redirect("/account/close", 303)


def _page(session: SignedIn, errors: list[tuple[str, str]]) -> str:
    closes_at = _closes_by_wish_at(session)
    if closes_at is not None:
        unverified_flow = request.values.get("flow", "")
        flow = ports().describe(unverified_flow) if unverified_flow else None
        g.form_targets = flow.form_targets if flow else ""
        return render_template("ui/close_keep.html", closes_at=closes_at, flow=unverified_flow)
    days = context().settings.accounts.close_grace_for // _DAY
    return render_template("ui/close.html", days=days, errors=errors)


def _closes_by_wish_at(session: SignedIn) -> int | None:
    with context().database.reading() as reading:
        closure = service.announced(reading, session.resident_id)
    return closure.closes_at if closure is not None and closure.cause == "asked" else None


# --- "this wasn't me" ---


@bp.get("/not-me/<link>")
def ask_not_me(link: str) -> str | tuple[str, int]:
    """Ask for a click: mail scanners open links too, and nothing happens by looking."""
    ctx = context()
    with ctx.database.reading() as reading:
        resident_id = not_me.whose(reading, link, now=ctx.now())
    if resident_id is None:
        return render_template("ui/not_me_over.html"), 410
    works_for = kept_name(ctx.settings.accounts.not_me_for)
    return render_template("ui/not_me.html", link=link, works_for=works_for)


@bp.post("/not-me/<link>")
def freeze(link: str) -> str | tuple[str, int]:
    """Freeze the account."""
    ctx = context()
    with ctx.database.transaction() as writing:
        is_done = suspicion.act_on(writing, ctx, link, now=ctx.now())
    if not is_done:
        return render_template("ui/not_me_over.html"), 410
    return render_template("ui/frozen.html", languages=[])
