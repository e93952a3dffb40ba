"""`/privacy/rights/correct`, `…/erase`, `…/stop`, `…/object`: what a resident asks for, one page each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext

from idp.login.changes import locked
from idp.login.current import for_fresh_residents, for_residents
from idp.rights import effects, pages, service, words
from idp.rights.forms import Correction, Errors, choice_errors, text_errors
from idp.rights.rules import tidy_text
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from idp.login.sessions import SignedIn
    from idp.rights.models import Request
    from idp.rights.service import Service

bp = Blueprint("rights_asking", __name__, url_prefix="/privacy/rights")


@bp.get("/correct")
@for_residents
def correct(session: SignedIn) -> str:
    """Ask what is wrong."""
    return _correct_page(session, Correction("", "", ""), [])


@bp.post("/correct")
@for_residents
def ask_correction(session: SignedIn) -> Response | tuple[str, int]:
    """Have somebody at the town look at it."""
    typed = Correction.read(request.form)
    errors = typed.errors()
    if errors:
        return _correct_page(session, typed, errors), 422
    return _asked(session, "rectification", typed.name, {"value": typed.value, "text": typed.why})


@bp.get("/erase")
@for_fresh_residents
def erase(session: SignedIn) -> str:  # noqa: ARG001 - the guard hands it over
    """Say what is erased, what remains, why and until when."""
    return _erase_page([])


@bp.post("/erase")
@for_fresh_residents
def ask_erasure(session: SignedIn) -> Response | tuple[str, int]:
    """Ask for everything to be erased."""
    text = tidy_text(request.form.get("why", ""))
    errors = text_errors("why", text)
    if "sure" not in request.form:
        errors.append(("sure", gettext("Tick the box if you want everything to be erased")))
    if errors:
        return _erase_page(errors, text), 422
    return _asked(session, "erasure", "", {"text": text} if text else {})


@bp.get("/stop")
@for_residents
def stop(session: SignedIn) -> str:
    """Ask which service should get nothing any more for a while."""
    return _choice_page(
        "ui/rights_stop.html", [one for one in pages.services_of(session) if not one.held], []
    )


@bp.post("/stop")
@for_residents
def restrict(session: SignedIn) -> Response | tuple[str, int]:
    """Stop it, or all of them, at once."""
    ctx, chosen = context(), request.form.get("service", "")
    offered = [one for one in pages.services_of(session) if not one.held]
    errors = choice_errors("service", chosen, {pages.ALL, *(one.client_id for one in offered)})
    if errors:
        return _choice_page("ui/rights_stop.html", offered, errors), 422
    if not service.may_ask(ctx, session.resident_id, now=ctx.now()):
        return pages.too_many()
    with ctx.database.transaction() as writing:
        service.restrict(
            writing, ctx, locked(writing, session)[0].id, "" if chosen == pages.ALL else chosen, now=ctx.now()
        )
    return redirect(url_for("rights.overview", done="stopped"), 303)


@bp.post("/lift")
@for_residents
def lift(session: SignedIn) -> Response:
    """Let a stopped service ask again."""
    ctx, chosen = context(), request.form.get("service", "")
    with ctx.database.transaction() as writing:
        service.lift(
            writing, ctx, locked(writing, session)[0].id, "" if chosen == pages.ALL else chosen, now=ctx.now()
        )
    return redirect(url_for("rights.overview", done="lifted"), 303)


@bp.get("/object")
@for_residents
def objection(session: SignedIn) -> str:
    """Ask to what one objects."""
    return _choice_page(
        "ui/rights_object.html", [one for one in pages.services_of(session) if one.may_object], []
    )


@bp.post("/object")
@for_residents
def object_to(session: SignedIn) -> Response | tuple[str, int]:
    """Object, and have the service stopped until this is decided."""
    ctx, chosen, text = context(), request.form.get("service", ""), tidy_text(request.form.get("why", ""))
    offered = [one for one in pages.services_of(session) if one.may_object]
    errors = choice_errors("service", chosen, {one.client_id for one in offered})
    errors += text_errors("why", text)
    if errors:
        return _choice_page("ui/rights_object.html", offered, errors, chosen, text), 422
    if not service.may_ask(ctx, session.resident_id, now=ctx.now()):
        return pages.too_many()
    with ctx.database.transaction() as writing:
        row = service.object_to(writing, ctx, locked(writing, session)[0].id, chosen, text, now=ctx.now())
    return _to(row)


# --- pieces ---


def _asked(session: SignedIn, kind: str, about: str, wish: dict[str, str]) -> Response | tuple[str, int]:
    ctx = context()
    if not service.may_ask(ctx, session.resident_id, now=ctx.now()):
        return pages.too_many()
    with ctx.database.transaction() as writing:
        row = service.ask(writing, ctx, locked(writing, session)[0].id, kind, about, wish, now=ctx.now())
    return _to(row)


def _to(row: Request | None) -> Response:
    """To the new request; to the overview when the same one is open already."""
    if row is None:
        return redirect(url_for("rights.overview", done="open"), 303)
    return redirect(url_for("rights.one", request_id=row.id), 303)


def _correct_page(session: SignedIn, typed: Correction, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        known = effects.current_values(reading, ctx, pages.resident_of(reading, session))
    options = [
        (
            name,
            words.attribute_text(name),
            gettext("Now: %(value)s", value=known[name]) if name in known else "",
        )
        for name in effects.CORRECTABLE
    ]
    return render_template(
        "ui/rights_correct.html", options=options, typed=typed, errors=errors, action=url_for(".correct")
    )


def _erase_page(errors: Errors, why: str = "") -> str:
    return render_template(
        "ui/rights_erase.html",
        remains=words.remains(context().settings),
        why=why,
        errors=errors,
        action=url_for(".erase"),
    )


def _choice_page(
    template: str, offered: list[Service], errors: Errors, chosen: str = "", why: str = ""
) -> str:
    options = [(one.client_id, pages.name_of(one.client_id), "") for one in offered]
    if template == "ui/rights_stop.html":
        options.append(
            (pages.ALL, gettext("Every service"), gettext("Also those that you have not used yet"))
        )
    return render_template(
        template, options=options, chosen=chosen, why=why, errors=errors, action=request.path
    )
