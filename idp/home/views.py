"""The start page, the account page and help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request
from flask_babel import gettext

from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.login import passkeys, sessions
from idp.login.current import drop_session, for_residents, signed_in
from idp.oidc.service import end_families_of_session
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn

bp = Blueprint("home", __name__)


@bp.get("/")
def start() -> str:
    """Where one goes from here."""
    session = signed_in()
    return render_template("ui/home.html", name=_name_and_email(session)[0] if session else None)


@bp.get("/account")
@for_residents
def account(session: SignedIn) -> str:
    """Name, address, passkeys, and where one is signed in."""
    ctx = context()
    name, email = _name_and_email(session)
    with ctx.database.reading() as reading:
        live = sessions.list_live(reading, session.resident_id, settings=ctx.settings.sessions, now=ctx.now())
        keys = passkeys.listed(reading, ctx, session.resident_id)
    listed = [
        {
            "id": one.sid,
            "device": one.device,
            "started": one.created_at,
            "last_seen": one.seen_at,
            "current": one.sid == session.sid,
        }
        for one in live
    ]
    return render_template(
        "ui/account.html",
        name=name,
        email=email,
        sessions=listed,
        passkeys=keys,
        offers_passkeys=bool(ctx.settings.passkey_domain),
        done=_done(request.args.get("done", "")),
    )


def _done(unverified_done: str) -> str:
    """What has just been done on another page, in words."""
    texts: dict[str, str] = {
        "ended": gettext("That device is signed out."),
        "passkey-added": gettext("The passkey is added. You can sign in with it from now on."),
        "passkey-renamed": gettext("The passkey has its new name."),
        "passkey-removed": gettext("The passkey is removed. It no longer opens your account."),
    }
    return texts.get(unverified_done, "")


@bp.post("/account/sessions/<sid>/end")
@for_residents
def end_session(session: SignedIn, sid: str) -> Response:
    """Sign out one device, with the tokens that live by its session."""
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as writing:
        found = sessions.find_by_sid(writing, session.resident_id, sid)
        if found is None:
            abort(404)
        sessions.end(writing, found.id_hash, now=now)
        end_families_of_session(writing, session.resident_id, found.id_hash, now=now)
    if sid != session.sid:
        return redirect("/account?done=ended", 303)
    response = redirect("/logged-out", 303)
    drop_session(response)
    return response


@bp.get("/help")
def help_page() -> str:
    """How this works, and whom to ask."""
    return render_template("ui/help.html")


@bp.get("/help/sign-in")
def help_sign_in() -> str:
    """What to do when signing in does not work."""
    return render_template("ui/help_sign_in.html")


@bp.get("/accessibility")
def accessibility() -> str:
    """How accessible these pages are."""
    return render_template("ui/accessibility.html")


@bp.get("/privacy-statement")
def privacy_statement() -> str:
    """What the town itself does with data."""
    return render_template("ui/privacy_statement.html")


def _name_and_email(session: SignedIn) -> tuple[str, str]:
    ctx = context()
    with ctx.database.reading() as reading:
        resident = reading.get(Resident, session.resident_id)
        known = accounts.read_attributes(reading, ctx.vault, resident) if resident else {}
    return display_name(known.get("given_name", ""), known.get("family_name")), known.get("email", "")
