"""The people one trusts, and those who trust oneself, `/account/helpers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, render_template, request
from flask_babel import gettext

from idp.accounts.models import Resident
from idp.login import budgets
from idp.login.budgets import Limit
from idp.login.changes import locked
from idp.login.current import for_fresh_residents, for_residents
from idp.recovery import helping
from idp.recovery.rules import tidy_digits
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn

    Errors = list[tuple[str, str]]

bp = Blueprint("helpers", __name__)

_PAGE = "/account/helpers"
#: Nobody is asked by the same person again and again, and nobody tries out names here.
NAMES_PER_RESIDENT = Limit("helper-names", 10, 86_400)


@bp.get("/account/helpers")
@for_residents
def show(session: SignedIn) -> str:
    """Whom one trusts, who trusts oneself, and who needs help now."""
    return _page(session)


@bp.get("/account/helpers/new")
@for_fresh_residents
def new(session: SignedIn) -> str:  # noqa: ARG001 - the guard hands it over
    """Ask for somebody's name."""
    return _new_page("", [])


@bp.post("/account/helpers/new")
@for_fresh_residents
def add(session: SignedIn) -> Response | tuple[str, int]:
    """Ask them. Whether the name is anybody's is not said."""
    ctx, name = context(), request.form.get("name", "")
    if not name.strip():
        return _new_page(
            name, [("name", gettext("Enter their user name, e-mail address or phone number"))]
        ), 422
    if not budgets.take(ctx, (NAMES_PER_RESIDENT, session.resident_id), now=ctx.now()):
        return _new_page(name, [("name", gettext("There were too many requests. Try again tomorrow."))]), 429
    with ctx.database.transaction() as writing:
        resident, _ = locked(writing, session)
        if helping.is_oneself(writing, ctx, resident, name):
            text = gettext("This is you. Name somebody else, who can help you when you cannot sign in.")
            return _new_page(name, [("name", text)]), 422
        is_asked = helping.name_helper(writing, ctx, resident, name, now=ctx.now())
    if not is_asked:
        text = gettext("You have named as many people as you can. Remove somebody first.")
        return _new_page(name, [("name", text)]), 422
    return redirect(f"{_PAGE}?done=named", 303)


@bp.post("/account/helpers/<row_id>/accept")
@for_residents
def accept(session: SignedIn, row_id: str) -> Response:
    """Say yes to somebody who trusts oneself."""
    ctx = context()
    with ctx.database.transaction() as writing:
        locked(writing, session)
        if not helping.accept(writing, ctx, session.resident_id, row_id, now=ctx.now()):
            abort(404)
    return redirect(f"{_PAGE}?done=accepted", 303)


@bp.post("/account/helpers/<row_id>/end")
@for_residents
def end(session: SignedIn, row_id: str) -> Response:
    """Trust somebody no longer, or say no."""
    ctx = context()
    with ctx.database.transaction() as writing:
        helping.hold(writing, session.resident_id, row_id)
        locked(writing, session)
        if not helping.end(writing, ctx, session.resident_id, row_id, now=ctx.now()):
            abort(404)
    return redirect(f"{_PAGE}?done=ended", 303)


@bp.get("/account/helpers/help/<row_id>")
@for_fresh_residents
def help_one(session: SignedIn, row_id: str) -> str:
    """Explain what one says by helping, and ask for the digits."""
    return _help_page(session, row_id, [])


@bp.post("/account/helpers/help/<row_id>")
@for_fresh_residents
def confirm(session: SignedIn, row_id: str) -> Response | tuple[str, int]:
    """Give one's word, if the digits are those on the other person's screen."""
    ctx = context()
    page = _help_page(session, row_id, [("digits", gettext("These are not the digits on their screen."))])
    with ctx.database.transaction() as writing:
        helping.hold(writing, session.resident_id, row_id)
        locked(writing, session)  # whoever is frozen meanwhile has no word to give
        digits = tidy_digits(request.form.get("digits", ""))
        is_right = helping.confirm(writing, ctx, session.resident_id, row_id, digits, now=ctx.now())
    return redirect(f"{_PAGE}?done=helped", 303) if is_right else (page, 422)


@bp.get("/account/helpers/<row_id>/<any(accept, end):action>")
def back(row_id: str, action: str) -> Response:  # noqa: ARG001 - the address has them
    """The page with everybody."""
    return redirect(_PAGE, 303)


def _page(session: SignedIn) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        resident = reading.get_one(Resident, session.resident_id)
        trusted = helping.trusted_by(reading, ctx, resident)
        trusting = helping.trusting(reading, ctx, session.resident_id)
        wanted = helping.wanted_of(reading, ctx, session.resident_id, now=ctx.now())
    done = _done(request.args.get("done", ""))
    return render_template("ui/helpers.html", trusted=trusted, trusting=trusting, wanted=wanted, done=done)


def _done(unverified_done: str) -> str:
    texts: dict[str, str] = {
        "named": gettext("If this person has an account, they are asked. Tell them about it, too."),
        "accepted": gettext("They know that they can count on you."),
        "ended": gettext("It is ended."),
        "helped": gettext("Thank you. They can choose a new password after a few days, unless they object."),
    }
    return texts.get(unverified_done, "")


def _new_page(name: str, errors: Errors) -> str:
    return render_template("ui/helper_new.html", name=name, errors=errors)


def _help_page(session: SignedIn, row_id: str, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        wanted = helping.wanted_of(reading, ctx, session.resident_id, now=ctx.now())
    found = next((one for one in wanted if one.id == row_id), None)
    if found is None:
        abort(404)
    return render_template("ui/helper_confirm.html", wanted=found, errors=errors)
