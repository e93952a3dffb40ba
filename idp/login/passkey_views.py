"""Passkeys: signing in with one (`/login/passkey`), and one's own (`/account/passkeys`).

A browser's script fetches options as JSON and sends its answer in an ordinary form, so that everything after
it (redirects, cookies, messages) is as with a password. Without a script the same addresses say what is missing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.accounts.rules import NAME_LIMIT, tidy_name
from idp.login import passkey_sign_in, passkeys
from idp.login.challenges import Setting
from idp.login.changes import locked
from idp.login.current import for_fresh_residents, for_residents, signed_in
from idp.login.passkeys import Handed, Refusal
from idp.login.ports import ports
from idp.login.rules import device_name, is_fresh
from idp.login.settling import Failure
from idp.login.steps import answer, settler
from idp.login.views import is_again, read_entry, show_page
from idp.web.answers import json_answer
from idp.web.context import context
from idp.web.csrf import browser_id, proven_browser

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.sessions import SignedIn
    from idp.web.answers import Answer
    from idp.web.context import Context
    from idp.web.incoming import Incoming

    Errors = list[tuple[str, str]]

bp = Blueprint("passkeys", __name__)


@bp.before_request
def _only_where_there_are_passkeys() -> None:
    """A town at an IP address has none, because browsers allow none there."""
    if not context().settings.passkey_domain:
        abort(404)


# --- signing in ---


@bp.post("/login/passkey/options")
def sign_in_options() -> Response:
    """What the browser asks a device for."""
    session = signed_in() if is_again() else None
    ctx = context()
    options = passkey_sign_in.begin(
        ctx, _setting("get"), resident_id=session.resident_id if session else None, now=ctx.now()
    )
    return _json(options)


def options_at_once(ctx: Context, found: Incoming) -> Answer | None:
    """The same before Flask's dispatch, where it is a passkey of anybody's that is asked for; None: let the view answer."""
    browser = proven_browser(found, ctx.vault, "denizen", secure=ctx.settings.is_secure)
    if browser is None or "again" in found.form or "again" in found.query or not ctx.settings.passkey_domain:
        return None
    setting = Setting("get", browser, found.form.get("attempt") or found.form.get("flow", ""))
    options = passkey_sign_in.begin(ctx, setting, resident_id=None, now=ctx.now())
    return json_answer(200, options)


@bp.post("/login/passkey")
def sign_in() -> str | Response | tuple[str, int]:
    """Check what the device answered; on success begin a session and go on."""
    entry = read_entry()
    if isinstance(entry, Response):
        return entry
    username = entry.flow.login_hint if entry.flow else ""
    ctx = context()
    handed = _handed("get")
    outcome: Any = Failure.WRONG
    if handed.unverified_answer:
        outcome = passkey_sign_in.sign_in(ctx, handed, settler(now=ctx.now()), entry.goal, entry.attempt)
    if outcome is Failure.WRONG:
        text = gettext("Signing in with a passkey did not work. Try again, or use your password.")
        return show_page(entry, username=username, errors=[("", text)]), 422
    return answer(outcome, entry.goal)


# --- one's own passkeys ---


@bp.get("/account/passkeys/new")
@for_fresh_residents
def new(session: SignedIn) -> str:  # noqa: ARG001 - the guard hands it over
    """Explain what a passkey is, and make one."""
    return _new_page(_default_name(), [])


@bp.post("/account/passkeys/options")
@for_fresh_residents
def creation_options(session: SignedIn) -> Response:
    """What the browser has a device make."""
    ctx = context()
    return _json(passkeys.begin_creation(ctx, session.resident_id, _setting("create"), now=ctx.now()))


@bp.post("/account/passkeys")
@for_residents
def add(session: SignedIn) -> Response | tuple[str, int]:
    """Keep a passkey that was made; that its maker signed in lately, its challenge proves."""
    ctx = context()
    handed = _handed("create")
    if not handed.unverified_answer and not is_fresh(session.authenticated_at, now=ctx.now()):
        return back_to_new()  # the script got no options, because too much time has passed
    typed = request.form.get("name", "")
    name = tidy_name(typed)
    if name is None:
        return _new_page(typed, [("name", _bad_name())]), 422
    outcome: Any = Refusal.FAILED
    if handed.unverified_answer:
        outcome = passkeys.finish_creation(
            ctx, session, handed, name=name, then=partial(_end_others, session), now=ctx.now()
        )
    if not isinstance(outcome, Refusal):
        return redirect("/account/sign-in?done=passkey-added", 303)
    text = gettext("The passkey could not be added. Try again.")
    if outcome is Refusal.TOO_MANY:
        text = gettext("You have too many passkeys. Remove one that you do not need any more.")
    return _new_page(name, [("", text)]), 422


@bp.get("/account/passkeys/<passkey_id>")
@for_residents
def show(session: SignedIn, passkey_id: str) -> str:
    """One passkey: its name, and removing it."""
    return _one_page(session, passkey_id, [])


@bp.post("/account/passkeys/<passkey_id>")
@for_residents
def rename(session: SignedIn, passkey_id: str) -> Response | tuple[str, int]:
    """Give it another name."""
    name = tidy_name(request.form.get("name", ""))
    if name is None:
        return _one_page(session, passkey_id, [("name", _bad_name())]), 422
    with context().database.transaction() as writing:
        resident, data_key = locked(writing, session)
        if not passkeys.rename(writing, data_key, resident.id, passkey_id, name):
            abort(404)
    return redirect("/account/sign-in?done=passkey-renamed", 303)


@bp.post("/account/passkeys/<passkey_id>/remove")
@for_fresh_residents
def remove(session: SignedIn, passkey_id: str) -> Response | tuple[str, int]:
    """Remove it, unless nothing else would open the account."""
    ctx = context()
    device = device_name(request.user_agent.string)
    with ctx.database.transaction() as writing:
        outcome = passkeys.remove(
            writing, ctx, ports().ways, session, passkey_id, device=device, now=ctx.now()
        )
        if outcome is True:
            _end_others(session, writing)
    if outcome is Refusal.LAST_WAY_IN:
        text = gettext("This passkey is your only way to sign in. Add another one first.")
        return _one_page(session, passkey_id, [("", text)]), 422
    if not outcome:
        abort(404)
    return redirect("/account/sign-in?done=passkey-removed", 303)


# Messages stand at addresses that take forms only; a link to the same page in another language leads back.


@bp.get("/login/passkey")
def back_to_sign_in() -> Response:
    """The sign-in page."""
    return redirect(f"/login?{request.query_string.decode('ascii', 'ignore')}", 303)


@bp.get("/account/passkeys")
def back_to_new() -> Response:
    """The page for a new passkey."""
    return redirect("/account/passkeys/new", 303)


@bp.get("/account/passkeys/<passkey_id>/remove")
def back_to_one(passkey_id: str) -> Response:
    """The page of this passkey."""
    return redirect(url_for("passkeys.show", passkey_id=passkey_id), 303)


def _end_others(session: SignedIn, writing: Session) -> None:
    """Whoever else had got in is out (identity.md)."""
    ports().end_others(writing, session.resident_id, session.sid, context().now())


def _setting(purpose: str) -> Setting:
    waiting = request.form.get("attempt") or request.form.get("flow", "")
    return Setting(purpose, browser_id(), waiting)


def _handed(purpose: str) -> Handed:
    return Handed(
        request.form.get("credential", ""),
        _setting(purpose),
        device_name(request.user_agent.string),
    )


def _default_name() -> str:
    device = device_name(request.user_agent.string)
    return gettext("Passkey") if device == "?" else device


def _bad_name() -> str:
    text: str = gettext("Enter a name of at most %(limit)s letters", limit=NAME_LIMIT)
    return text


def _new_page(name: str, errors: Errors) -> str:
    g.runs_script = True
    return render_template("ui/passkey_new.html", name=name, errors=errors)


def _one_page(session: SignedIn, passkey_id: str, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        found = passkeys.find(reading, ctx, session.resident_id, passkey_id)
    if found is None:
        abort(404)
    return render_template("ui/passkey.html", passkey=found, errors=errors)


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), content_type="application/json")
