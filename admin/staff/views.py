"""Sign-in, sign-out and the overview: `/login`, `/logout`, `/`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, current_app, g, redirect, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from admin.staff import sessions
from admin.staff.current import current_staff, device_cookie, for_everyone, for_roles, session_cookie
from admin.staff.rules import ROLES
from admin.staff.service import Attempt, Failure, sign_in
from idp.login.devices.service import KEEP_FOR
from idp.web.context import context
from idp.web.pages import incoming

if TYPE_CHECKING:
    from typing import Any

    from werkzeug.wrappers import Response

    from admin.staff.sessions import StaffMember
    from idp.login.passwords import Passwords

bp = Blueprint("staff", __name__)

_ROLE_TEXTS = {"clerk": _("Clerk"), "officer": _("Privacy officer"), "operator": _("Operator")}


def page_values() -> dict[str, Any]:
    """What the layout shows of the member of staff, once a view has asked who it is."""
    staff: StaffMember | None = g.get("staff") or None
    if staff is None:
        return {"staff": None}
    return {"staff": {"name": staff.username, "role": staff.role, "role_text": str(_ROLE_TEXTS[staff.role])}}


@bp.get("/")
@for_roles(*ROLES)
def overview(_staff: StaffMember) -> str:
    """What one can do here."""
    return render_template("admin/home.html", parts=frozenset(current_app.blueprints))


@bp.get("/login")
@for_everyone
def show() -> str:
    """Ask for user name, password and code."""
    return _page("", [])


@bp.post("/login")
@for_everyone
def submit() -> Response | tuple[str, int]:
    """Check what was typed; on success begin a session."""
    username, password, code = (request.form.get(name, "") for name in ("username", "password", "code"))
    errors = _missing(username, password, code)
    if errors:
        return _page(username, errors), 422
    ctx = context()
    now = ctx.now()
    passwords: Passwords = current_app.extensions["denizen.staff"]
    device = device_cookie().read(request.cookies)
    attempt = Attempt(username, password, code, incoming().remote_address, device)
    outcome = sign_in(ctx, passwords, attempt, now=now)
    if outcome is Failure.THROTTLED:
        text = gettext("There were too many attempts. Wait 15 minutes, then try again.")
        return _page(username, [("username", text)]), 429
    if isinstance(outcome, Failure):
        text = gettext("The user name, the password or the code is not right. A code works only once.")
        return _page(username, [("username", text)]), 422
    _end_session(now)  # a sign-in on top of another one ends the former (K18)
    response = redirect("/", 303)
    session_cookie().put(response, outcome.cookie_value)
    device_cookie().put(response, outcome.device_cookie, max_age=KEEP_FOR)
    return response


@bp.post("/logout")
@for_roles(*ROLES)
def sign_out(_staff: StaffMember) -> Response:
    """End the session."""
    _end_session(context().now())
    response = redirect("/login", 303)
    session_cookie().drop(response)
    return response


def _end_session(now: int) -> None:
    """End the session that this browser came with, if it came with one."""
    former = current_staff()
    if former is not None:
        with context().database.transaction() as session:
            sessions.end(session, former.id_hash, now=now)


def _missing(username: str, password: str, code: str) -> list[tuple[str, str]]:
    errors = []
    if not username.strip():
        errors.append(("username", gettext("Enter your user name")))
    if not password:
        errors.append(("password", gettext("Enter your password")))
    if not code.strip():
        errors.append(("code", gettext("Enter the code of your authenticator app")))
    return errors


def _page(username: str, errors: list[tuple[str, str]]) -> str:
    return render_template(
        "admin/sign_in.html", username=username, errors=errors, action="/login", staff=None
    )
