"""The code of an app as a second factor, `/login/totp`, and one's own apps, `/account/sign-in/apps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyotp
import segno
from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import NAME_LIMIT, display_name, tidy_name
from idp.login import budgets, steps
from idp.login.changes import follow, locked
from idp.login.current import for_fresh_residents, for_residents
from idp.login.levels import Method, Proof, typical
from idp.login.otp import service
from idp.login.otp.rules import grouped, normal_code
from idp.login.passwords import needs_second
from idp.login.ports import ports
from idp.login.settling import Failure
from idp.login.texts import too_many
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.otp.service import App, Pending
    from idp.login.sessions import SignedIn
    from idp.login.settling import Outcome
    from idp.login.steps import Underway
    from keys.envelope import DataKey

    Errors = list[tuple[str, str]]

bp = Blueprint("otp", __name__)
_WAYS_IN = "/account/sign-in"


# --- signing in ---


@bp.get("/login/totp")
def show() -> str | Response:
    """Ask for the code that the app shows."""
    underway = steps.expect(Method.TOTP)
    return underway if isinstance(underway, Response) else _code_page(underway, [])


@bp.post("/login/totp")
def submit() -> str | Response | tuple[str, int]:
    """Check and spend the code."""
    underway = steps.expect(Method.TOTP)
    if isinstance(underway, Response):
        return underway
    code = normal_code(request.form.get("code", ""))
    if code is None:
        return _code_page(underway, [("code", _six_digits())]), 422
    outcome = _spend(underway, code)
    if outcome is Failure.THROTTLED:
        return _code_page(underway, [("code", too_many())]), 429
    if outcome is Failure.WRONG:
        text = gettext("The code is not right, or it was used already. Wait for the next one.")
        return _code_page(underway, [("code", text)]), 422
    return steps.answer(outcome, underway.goal)


def _spend(underway: Underway, code: str) -> Outcome:
    """Count the guess, then look at it: the code and its proof are one transaction."""
    ctx, attempt = context(), underway.attempt
    now, resident_id = ctx.now(), attempt.resident_id or ""
    settler = steps.settler(now=now)
    with ctx.database.reading() as session:
        guess = settler.guess(session, "totp", authenticator=resident_id, name=resident_id, whose=resident_id)
    if not budgets.spend(ctx, guess, now=now):
        return Failure.THROTTLED
    with settler.writing(resident_id) as session:
        resident = session.get(Resident, resident_id)
        if resident is None or resident.data_key is None:
            return Failure.WRONG
        data_key = ctx.vault.open_data_key(resident.data_key)
        app_id = service.spend(session, data_key, resident_id, code, now=now)
        if app_id is None:
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        proof = Proof(Method.TOTP, amr=typical(Method.TOTP).amr, detail=app_id)
        return settler.next(session, attempt, proof, resident_id)


def _six_digits() -> str:
    text: str = gettext("Enter the six digits that the app shows now")
    return text


def _code_page(underway: Underway, errors: Errors) -> str:
    return render_template(
        "ui/login_totp.html",
        client_name=underway.flow.client_name if underway.flow else None,
        attempt=underway.attempt.handle,
        has_other_ways=len(underway.offers) > 1,
        errors=errors,
    )


# --- one's own apps ---


@bp.get("/account/sign-in/apps/new")
@for_fresh_residents
def new(session: SignedIn) -> str:  # noqa: ARG001 - the guard hands it over
    """Explain what such an app is, and ask how it is to be called."""
    return _new_page(gettext("Authenticator app"), [])


@bp.post("/account/sign-in/apps")
@for_fresh_residents
def begin(session: SignedIn) -> Response | tuple[str, int]:
    """Make a secret for a new app."""
    typed = request.form.get("name", "")
    name = tidy_name(typed)
    if name is None:
        return _new_page(typed, [("name", _bad_name())]), 422
    ctx = context()
    with ctx.database.transaction() as writing:
        _, data_key = locked(writing, session)
        app_id = service.begin(writing, data_key, session.resident_id, name, now=ctx.now())
    if app_id is None:
        text = gettext("You have too many apps. Remove one that you do not need any more.")
        return _new_page(name, [("", text)]), 422
    return redirect(url_for("otp.show_one", app_id=app_id), 303)


@bp.get("/account/sign-in/apps/<app_id>")
@for_residents
def show_one(session: SignedIn, app_id: str) -> str:
    """One app: its secret while it waits for the first code, else its name, and removing it."""
    ctx = context()
    with ctx.database.reading() as reading:
        data_key = _data_key(reading, session)
        waiting = service.pending(reading, data_key, session.resident_id, app_id, now=ctx.now())
    return _set_up_page(session, waiting, []) if waiting else _app_page(session, app_id, [])


@bp.post("/account/sign-in/apps/<app_id>")
@for_residents
def save(session: SignedIn, app_id: str) -> str | Response | tuple[str, int]:
    """Take a new app into use with its first code; give one in use another name."""
    ctx = context()
    with ctx.database.reading() as reading:
        data_key = _data_key(reading, session)
        waiting = service.pending(reading, data_key, session.resident_id, app_id, now=ctx.now())
    return _confirm(session, waiting) if waiting else _rename(session, app_id)


def _confirm(session: SignedIn, waiting: Pending) -> str | Response | tuple[str, int]:
    code = normal_code(request.form.get("code", ""))
    if code is None:
        return _set_up_page(session, waiting, [("code", _six_digits())]), 422
    ctx = context()
    with ctx.database.transaction() as writing:
        resident, _ = locked(writing, session)
        is_right = service.confirm(writing, waiting, code, now=ctx.now())
        if is_right:
            budgets.restore(writing, ctx.vault, "totp", session.resident_id)
            follow(writing, session, resident, "app_added")
    if not is_right:
        text = gettext(
            "The code is not right. Check that the clock of your device is right, then enter the code that the app shows now."
        )
        return _set_up_page(session, waiting, [("code", text)]), 422
    return redirect(f"{_WAYS_IN}?done=app-added", 303)


def _rename(session: SignedIn, app_id: str) -> Response | tuple[str, int]:
    name = tidy_name(request.form.get("name", ""))
    if name is None:
        return _app_page(session, app_id, [("name", _bad_name())]), 422
    with context().database.transaction() as writing:
        _, data_key = locked(writing, session)
        if not service.rename(writing, data_key, session.resident_id, app_id, name):
            abort(404)
    return redirect(f"{_WAYS_IN}?done=app-renamed", 303)


@bp.post("/account/sign-in/apps/<app_id>/remove")
@for_fresh_residents
def remove(session: SignedIn, app_id: str) -> Response | tuple[str, int]:
    """Remove it, unless the password is too short to stand alone."""
    ctx = context()
    with ctx.database.transaction() as writing:
        resident, data_key = locked(writing, session)
        apps = service.listed(writing, data_key, resident.id)
        is_too_weak = len(apps) == 1 and _leaves_too_little(writing, resident.id)
        if not any(one.id == app_id for one in apps):
            abort(404)
        if not is_too_weak:
            service.remove(writing, resident.id, app_id)
            follow(writing, session, resident, "app_removed")
    if is_too_weak:
        text = gettext("Your password is short and needs a second step beside it. Choose a longer one first.")
        return _app_page(session, app_id, [("", text)]), 422
    return redirect(f"{_WAYS_IN}?done=app-removed", 303)


def _leaves_too_little(writing: Session, resident_id: str) -> bool:
    """Whether a password that is too short to stand alone would stand alone without the last app."""
    others = ports().ways.of(writing, resident_id).owed - {Method.TOTP}
    return not others and needs_second(writing, resident_id)


@bp.get("/account/sign-in/apps")
def back_to_new() -> Response:
    """A message stands at an address that takes forms only; a link in another language leads back."""
    return redirect("/account/sign-in/apps/new", 303)


@bp.get("/account/sign-in/apps/<app_id>/remove")
def back_to_one(app_id: str) -> Response:
    """The page of this app."""
    return redirect(url_for("otp.show_one", app_id=app_id), 303)


def _data_key(reading: Session, session: SignedIn) -> DataKey:
    resident = reading.get(Resident, session.resident_id)
    if resident is None or resident.data_key is None:
        abort(404)
    return context().vault.open_data_key(resident.data_key)


def _bad_name() -> str:
    text: str = gettext("Enter a name of at most %(limit)s letters", limit=NAME_LIMIT)
    return text


def _new_page(name: str, errors: Errors) -> str:
    return render_template("ui/app_new.html", name=name, errors=errors)


def _set_up_page(session: SignedIn, waiting: Pending, errors: Errors) -> str:
    return render_template(
        "ui/app_set_up.html",
        app=waiting,
        qr=_qr(session, waiting),
        secret=grouped(waiting.secret),
        errors=errors,
    )


def _qr(session: SignedIn, waiting: Pending) -> Markup:
    """What the app reads with its camera, as a picture that needs no style of its own."""
    ctx = context()
    with ctx.database.reading() as reading:
        resident = reading.get_one(Resident, session.resident_id)
        known = accounts.read_attributes(reading, ctx.vault, resident)
    name = known.get("email") or known.get("preferred_username")
    name = name or display_name(known.get("given_name", ""), known.get("family_name"))
    totp = pyotp.TOTP(waiting.secret, name=name, issuer=ctx.settings.town.name)
    uri = totp.provisioning_uri()
    drawn = segno.make(uri, error="m").svg_inline(border=4, light="#fff", dark="#000", omitsize=True)
    return Markup(drawn)  # noqa: S704 - squares, drawn by us


def _app_page(session: SignedIn, app_id: str, errors: Errors) -> str:
    with context().database.reading() as reading:
        data_key = _data_key(reading, session)
        found: list[App] = service.listed(reading, data_key, session.resident_id)
    app = next((one for one in found if one.id == app_id), None)
    if app is None:
        abort(404)
    return render_template("ui/app.html", app=app, is_only=len(found) == 1, errors=errors)
