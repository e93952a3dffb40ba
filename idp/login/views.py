"""The sign-in page, `/login`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, render_template, request
from flask_babel import gettext

from idp.login.current import end_former_session, put_session, signed_in
from idp.login.ports import ports
from idp.login.rules import is_own_path
from idp.login.service import Attempt, Failure, sign_in
from idp.web.context import context
from idp.web.pages import error_page, incoming

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.ports import Flow
    from idp.login.service import Success

bp = Blueprint("login", __name__)


@bp.get("/login")
def show() -> str | Response:
    """Ask for a passkey, or for user name and password."""
    unverified_flow = request.args.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    if unverified_flow and flow is None:
        return flow_is_over()
    return show_page(unverified_flow, flow, username=flow.login_hint if flow else "", errors=[])


@bp.post("/login")
def submit() -> str | Response | tuple[str, int]:
    """Check what was typed; on success begin a session and go on."""
    unverified_flow = request.form.get("flow", "")
    flow = ports().describe(unverified_flow) if unverified_flow else None
    if unverified_flow and flow is None:
        return flow_is_over()
    if "cancel" in request.form:
        return ports().cancel(unverified_flow) if flow else redirect("/", 303)
    username, password = request.form.get("username", ""), request.form.get("password", "")
    errors = _missing(username, password)
    if errors:
        return show_page(unverified_flow, flow, username=username, errors=errors), 422
    ctx = context()
    now = ctx.now()
    attempt = Attempt(username, password, incoming().remote_address, request.user_agent.string)
    outcome = sign_in(ctx, ports().passwords, attempt, now=now)
    if isinstance(outcome, Failure):
        return _failed(outcome, unverified_flow, flow, username)
    return go_on(outcome, unverified_flow, flow, now=now)


def go_on(success: Success, unverified_flow: str, flow: Flow | None, *, now: int) -> Response:
    """However somebody signed in: the former session ends, the new one begins, what waited is continued."""
    with context().database.transaction() as writing:
        end_former_session(writing, now=now)
    if flow:
        ports().signed_in(unverified_flow, now)
    response = redirect(flow.next_url if flow else _next(), 303)
    put_session(response, success.cookie_value)
    return response


def _next() -> str:
    unverified_next = request.form.get("next", "")
    return unverified_next if is_own_path(unverified_next) else "/account"


def _missing(username: str, password: str) -> list[tuple[str, str]]:
    errors = []
    if not username.strip():
        errors.append(("username", gettext("Enter your e-mail address or user name")))
    if not password:
        errors.append(("password", gettext("Enter your password")))
    return errors


def _failed(failure: Failure, unverified_flow: str, flow: Flow | None, username: str) -> tuple[str, int]:
    if failure is Failure.THROTTLED:
        return show_page(unverified_flow, flow, username=username, errors=[("username", too_many())]), 429
    text = gettext("The user name or the password is not right")
    return show_page(unverified_flow, flow, username=username, errors=[("username", text)]), 422


def too_many() -> str:
    """What somebody reads who tried too often."""
    text: str = gettext("There were too many attempts. Wait 15 minutes, then try again.")
    return text


def show_page(
    unverified_flow: str, flow: Flow | None, *, username: str, errors: list[tuple[str, str]]
) -> str:
    """The sign-in page; the only one besides that for a new passkey on which a script of ours may run."""
    g.form_targets = flow.form_targets if flow else ""
    g.runs_script = bool(context().settings.passkey_domain)
    return render_template(
        "ui/login.html",
        client_name=flow.client_name if flow else None,
        username=username,
        errors=errors,
        flow=unverified_flow if flow else "",
        next=request.values.get("next", ""),
        again=is_again(),
        offers_passkeys=g.runs_script,
        action="/login",
    )


def is_again() -> bool:
    """Whether a resident who is signed in was asked to prove once more that it is they."""
    return "again" in request.values and signed_in() is not None


def flow_is_over() -> Response:
    """A sign-in that has ended, or that another browser began (K09)."""
    return error_page(
        400,
        gettext("This sign-in has ended"),
        gettext("It was finished already, it waited too long, or it began in another browser."),
        gettext("Go back to the service you came from and sign in again."),
        oauth_error="invalid_request flow",
    )
