"""What a resident wants of codes by e-mail and text message, `/account/sign-in/codes/<channel>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request
from flask_babel import gettext

from idp.login.changes import follow, locked
from idp.login.codes import service
from idp.login.codes.rules import Channel
from idp.login.current import for_fresh_residents
from idp.login.levels import Method
from idp.login.passwords import needs_second
from idp.login.ports import ports
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.login.ways import Found

    Errors = list[tuple[str, str]]

bp = Blueprint("code_choices", __name__)
_CHOICES = ("after", "always", "alone")


@bp.get("/account/sign-in/codes/<channel>")
@for_fresh_residents
def show(session: SignedIn, channel: str) -> str:
    """What a code is to be good for."""
    return _page(session, _channel(channel), [])


@bp.post("/account/sign-in/codes/<channel>")
@for_fresh_residents
def choose(session: SignedIn, channel: str) -> str | Response | tuple[str, int]:
    """Keep the choice, unless it would lock the resident out or leave a short password alone."""
    by, choice = _channel(channel), request.form.get("choice", "")
    if choice not in _CHOICES:
        return _page(session, by, [("choice", gettext("Choose one of the answers"))]), 422
    ctx = context()
    with ctx.database.transaction() as writing:
        resident, _ = locked(writing, session)
        found = ports().ways.of(writing, resident.id)
        problem = _problem(writing, resident.id, found, by.method, choice)
        if problem is None:
            service.choose(writing, resident.id, by, choice, now=ctx.now())
            follow(writing, session, resident, "codes_changed")
    if problem is not None:
        return _page(session, by, [("choice", problem)]), 422
    return redirect("/account/sign-in?done=codes-changed", 303)


def _problem(writing: Session, resident_id: str, found: Found, method: Method, choice: str) -> str | None:
    """Why a choice cannot be kept."""
    text: str | None = None
    if choice == "always" and Method.PASSWORD not in found.enrolled:
        text = gettext("You have no password that a code could follow. Choose one first.")
    elif choice != "alone" and not found.alone - {method}:
        text = gettext("This is your only way to sign in. Add another one first, such as a passkey.")
    elif choice != "always" and not found.owed - {method} and needs_second(writing, resident_id):
        text = gettext("Your password is short and needs a second step beside it. Choose a longer one first.")
    return text


def _channel(unverified_channel: str) -> Channel:
    if unverified_channel not in tuple(Channel):
        abort(404)
    return Channel(unverified_channel)


def _page(session: SignedIn, channel: Channel, errors: Errors) -> str:
    with context().database.reading() as reading:
        found = ports().ways.of(reading, session.resident_id)
        chosen = service.choices(reading, session.resident_id).get(channel.value)
    if channel.method not in found.enrolled:
        abort(404)
    default = "alone" if channel.method in found.alone else "after"
    return render_template(
        "ui/codes.html",
        channel=channel.value,
        is_email=channel is Channel.EMAIL,
        chosen=chosen or default,
        has_password=Method.PASSWORD in found.enrolled,
        errors=errors,
    )
