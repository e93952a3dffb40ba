"""The start page, the account page and help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request
from flask_babel import gettext

from consent.questions import service as questions
from idp.accounts import contacts
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.accounts.rules import display_name
from idp.login.current import for_residents, signed_in
from idp.oidc.entrances import entrances
from idp.oidc.wiring import provider
from idp.web.context import context
from idp.web.languages import current_language

if TYPE_CHECKING:
    from idp.login.sessions import SignedIn

bp = Blueprint("home", __name__)


@bp.get("/")
def start() -> str:
    """Where one goes from here."""
    session = signed_in()
    if session is None:
        return render_template("ui/home.html", name=None, services=[], questions=0)
    with context().database.reading() as reading:
        asked = questions.how_many(reading, session.resident_id)
        services = entrances(provider(), reading, session.resident_id, current_language())
    return render_template(
        "ui/home.html", name=_name_and_reach(session)[0], services=services, questions=asked
    )


@bp.get("/account")
@for_residents
def account(session: SignedIn) -> str:
    """Who one is, and the way to every other page of the account."""
    name, email, phone = _name_and_reach(session)
    done = gettext("Your account stays open.") if request.args.get("done") == "kept" else ""
    return render_template("ui/account.html", name=name, email=email, phone=phone, done=done)


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


def _name_and_reach(session: SignedIn) -> tuple[str, str, str]:
    """The name, and the main address and number as people read them."""
    ctx = context()
    with ctx.database.reading() as reading:
        resident = reading.get(Resident, session.resident_id)
        known = accounts.read_attributes(reading, ctx.vault, resident) if resident else {}
        points = contacts.of_resident(reading, ctx.vault, resident) if resident else []
    main = {one.kind: one.shown for one in points if one.is_main}
    name = display_name(known.get("given_name", ""), known.get("family_name"))
    return name, main.get("email", ""), main.get("phone", "")
