"""The link of a mail with a code, `/login/link`: a page that needs a click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, g, render_template, request

from idp.login import steps
from idp.login.codes import links
from idp.login.codes.rules import Channel
from idp.login.codes.service import shown_address
from idp.login.levels import Method, typical
from idp.login.ports import ports
from idp.login.settling import Goal
from idp.web.context import context
from idp.web.cookies import digest
from idp.web.csrf import browser_id

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

bp = Blueprint("code_links", __name__)


@bp.get("/login/link")
def show() -> str | tuple[str, int]:
    """Opening the link spends nothing. It says whose mailbox it is for: the link may be somebody else's (login CSRF)."""
    token = request.args.get("token", "")
    found = _found(token)
    if found is None:
        return _over()
    if not found.is_good_here:
        return _elsewhere()
    is_here = found.browser_hash == digest(browser_id())
    flow = ports().describe(found.flow) if found.flow and is_here else None
    g.form_targets = flow.form_targets if flow else ports().leads_to(found.flow)
    ctx = context()
    with ctx.database.reading() as session:
        to = shown_address(session, ctx.vault, found.resident_id, Channel.EMAIL)
    return render_template("ui/login_link.html", token=token, is_here=is_here, to=to)


@bp.post("/login/link")
def submit() -> Response | tuple[str, int]:
    """Go on with the sign-in in this browser."""
    now, token = context().now(), request.form.get("token", "")
    found = _found(token)
    if found is not None and not found.is_good_here:
        return _elsewhere()
    settler = steps.settler(now=now)
    with settler.writing(found.resident_id if found else None) as session:
        taken = links.take(session, token, browser=browser_id(), move=ports().move, now=now)
        if taken is not None:
            proof = typical(Method.EMAIL_CODE)
            outcome = settler.next(session, taken.attempt, proof, taken.resident_id)
    if taken is None:
        return _over()
    attempt = taken.attempt
    return steps.answer(outcome, Goal(attempt.flow_handle, attempt.next_path, attempt.wanted_acr))


def _found(unverified_token: str) -> Any:
    ctx = context()
    with ctx.database.reading() as session:
        return links.find(session, unverified_token, browser=browser_id(), now=ctx.now())


def _elsewhere() -> tuple[str, int]:
    """Nothing is spent: the link goes on being good where the sign-in began."""
    return render_template("ui/login_link_elsewhere.html"), 403


def _over() -> tuple[str, int]:
    return render_template("ui/login_link_over.html"), 410
