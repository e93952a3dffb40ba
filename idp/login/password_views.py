"""One's own password, `/account/password`: choosing one, another one, and doing without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext

from idp.login import password_change
from idp.login.current import for_fresh_residents
from idp.login.levels import Method
from idp.login.new_password import new_password_error, shortest
from idp.login.password_change import Refusal, words_about
from idp.login.ports import ports
from idp.login.texts import way_name
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.login.ways import Found

    Errors = list[tuple[str, str]]

bp = Blueprint("passwords", __name__)

_WAYS_IN = "/account/sign-in"


@bp.get("/account/password")
@for_fresh_residents
def show(session: SignedIn) -> str:
    """Ask for a new password."""
    return _page(_ways_of(session), [])


@bp.post("/account/password")
@for_fresh_residents
def change(session: SignedIn) -> str | Response | tuple[str, int]:
    """Keep the new password; everywhere else the account is signed out."""
    ctx = context()
    password = request.form.get("password", "")
    found = _ways_of(session)
    with ctx.database.reading() as reading:
        about = words_about(reading, ctx, session.resident_id)
    problem = new_password_error(ctx.settings, password, about=about, has_second=bool(found.owed))
    if problem:
        return _page(found, [("password", problem)]), 422
    hasher = ports().passwords
    encoded = hasher.hash(password)
    with ctx.database.transaction() as writing:
        is_short = hasher.is_short(password)
        refusal = password_change.change(writing, session, encoded, is_short=is_short, now=ctx.now())
    if refusal is not None:
        text = new_password_error(ctx.settings, password, about=about) or _not_now()
        return _page(_ways_of(session), [("password", text)]), 422
    return redirect(f"{_WAYS_IN}?done=password-changed", 303)


@bp.post("/account/password/remove")
@for_fresh_residents
def remove(session: SignedIn) -> str | Response | tuple[str, int]:
    """Do without a password from now on."""
    with context().database.transaction() as writing:
        refusal = password_change.remove(writing, session)
    if refusal is Refusal.LAST_WAY_IN:
        text = gettext("The password is your only way to sign in. Add another way first, such as a passkey.")
        return _page(_ways_of(session), [("", text)]), 422
    return redirect(_WAYS_IN if refusal else f"{_WAYS_IN}?done=password-removed", 303)


@bp.get("/account/password/remove")
def back_to_password() -> Response:
    """A link to the message of that form in another language leads back to the page."""
    return redirect("/account/password", 303)


def _not_now() -> str:
    text: str = gettext("The password could not be changed. Try again.")
    return text


def _ways_of(session: SignedIn) -> Found:
    with context().database.reading() as reading:
        return ports().ways.of(reading, session.resident_id)


def _page(found: Found, errors: Errors) -> str:
    return render_template(
        "ui/password.html",
        has_password=Method.PASSWORD in found.enrolled,
        opens=[way_name(method) for method in Method if method in found.alone - {Method.PASSWORD}],
        opens_by_code=bool(found.alone & {Method.EMAIL_CODE, Method.SMS_CODE}),
        has_second=bool(found.owed),
        minimum=shortest(context().settings, has_second=bool(found.owed)),
        errors=errors,
    )
