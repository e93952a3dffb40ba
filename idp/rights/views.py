"""`/privacy/rights`: what residents ask for about their own data, where it stands, and what they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp.login.changes import locked
from idp.login.current import for_fresh_residents, for_residents
from idp.oidc.holds import RESTRICTION, of_resident
from idp.paper import PaperProblem
from idp.rights import cases, export, pages, printing, service, words
from idp.rights.forms import Errors, text_errors
from idp.rights.rules import Action, tidy_text
from idp.web.context import context
from idp.web.languages import current_language
from idp.web.pages import error_page

if TYPE_CHECKING:
    from idp.login.sessions import SignedIn

bp = Blueprint("rights", __name__, url_prefix="/privacy/rights")

_FORMS = ("json", "pdf", "portable")


@bp.get("")
@for_residents
def overview(session: SignedIn) -> str:
    """Every request with its clock, what can be asked, and which rights each service leaves one."""
    ctx = context()
    with ctx.database.reading() as reading:
        found = cases.of_resident(reading, ctx.vault, pages.resident_of(reading, session))
        known = service.services(reading, session.resident_id)
        held = of_resident(reading, session.resident_id)
    return render_template(
        "ui/rights.html",
        requests=[pages.line(one) for one in found],
        services=[pages.service_shown(one) for one in known if one.bases],
        stopped=[
            {
                "client_id": one.client_id or pages.ALL,
                "name": pages.name_of(one.client_id),
                "since": one.since_at,
            }
            for one in held
            if one.cause == RESTRICTION
        ],
        done=_done(request.args.get("done", "")),
    )


@bp.get("/<request_id>")
@for_residents
def one(session: SignedIn, request_id: str) -> str:
    """One request: where it stands, by when it must be answered, and what was said."""
    return _case_page(session, request_id, [])


@bp.post("/<request_id>/withdraw")
@for_residents
def withdraw(session: SignedIn, request_id: str) -> Response:
    """Think better of it."""
    ctx = context()
    with ctx.database.transaction() as writing:
        service.withdraw(writing, ctx, locked(writing, session)[0].id, request_id, now=ctx.now())
    return redirect(url_for(".one", request_id=request_id), 303)


@bp.post("/<request_id>/answer")
@for_residents
def answer(session: SignedIn, request_id: str) -> Response | tuple[str, int]:
    """Say what the town asked."""
    ctx, said = context(), tidy_text(request.form.get("said", ""))
    errors = text_errors("said", said, needed=True)
    if errors:
        return _case_page(session, request_id, errors, said), 422
    with ctx.database.transaction() as writing:
        service.answer(writing, ctx, locked(writing, session)[0].id, request_id, said, now=ctx.now())
    return redirect(url_for(".one", request_id=request_id), 303)


@bp.get("/<request_id>/answer")
def back_to_one(request_id: str) -> Response:
    """The page of this request, for a link to the same page in another language."""
    return redirect(url_for(".one", request_id=request_id), 303)


# --- a copy ---


@bp.get("/copy")
@for_fresh_residents
def copy(session: SignedIn) -> str:  # noqa: ARG001 - the guard hands it over
    """Offer the copies."""
    return render_template("ui/rights_copy.html", action=url_for(".take_copy"))


@bp.post("/copy")
@for_fresh_residents
def take_copy(session: SignedIn) -> Response:
    """Hand over the copy at once; that it was taken is on record, and told, before anything is read."""
    ctx, form = context(), request.form.get("form", "")
    now = ctx.now()
    if form not in _FORMS:
        abort(400)
    if not service.may_copy(ctx, session.resident_id, now=now):
        return pages.too_many()
    with ctx.database.transaction() as writing:
        kind = "portability" if form == "portable" else "access"
        service.copy_taken(writing, ctx, locked(writing, session)[0].id, kind, form, now=now)
    if form == "pdf":
        return _printed(session, now=now)
    made = (
        export.portable(ctx, session.resident_id, pages.name_of, now=now)
        if form == "portable"
        else export.as_json(
            ctx, session.resident_id, printing.head(ctx, session.resident_id, pages.name_of), now=now
        )
    )
    return _download(
        stream_with_context(made),
        "application/json",
        "portable.json" if form == "portable" else "everything.json",
    )


def _printed(session: SignedIn, *, now: int) -> Response:
    try:
        made = printing.as_pdf(context(), session.resident_id, current_language(), pages.name_of, now=now)
    except PaperProblem:
        return error_page(
            503,
            gettext("The document could not be made"),
            gettext("Nothing is wrong with your data. The other file has all of it, too."),
            gettext("Take the other file, or try again later."),
        )
    return _download([made], "application/pdf", "everything.pdf")


def _download(body: Any, kind: str, name: str) -> Response:
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


# --- pieces ---


def _case_page(session: SignedIn, request_id: str, errors: Errors, said: str = "") -> str:
    ctx = context()
    with ctx.database.reading() as reading:
        case = cases.read(reading, ctx.vault, pages.resident_of(reading, session), request_id)
    if case is None:
        abort(404)
    actions = case.actions(now=ctx.now())
    rights = ctx.settings.rights
    return render_template(
        "ui/rights_request.html",
        asked=pages.line(case),
        wish=case.wish,
        steps=[
            {
                "state": words.state_text(one.state, own=True),
                "who": words.actor_text(one.actor, own=True),
                "said": one.said,
                "when": one.at,
            }
            for one in case.steps
        ],
        may_answer=Action.ANSWER in actions,
        may_withdraw=Action.WITHDRAW in actions,
        refused=case.state == "rejected",
        authority={"name": rights.authority_name, "contact": rights.authority_contact},
        is_extended=case.extended_at is not None,
        said=said,
        errors=errors,
        path=url_for(".one", request_id=case.id),
    )


def _done(unverified_done: str) -> str:
    texts: dict[str, str] = {
        "stopped": gettext("It is stopped. Nothing new is passed on."),
        "lifted": gettext("It is no longer stopped. The service may ask you again."),
        "open": gettext("You have asked for this already. It is being worked on."),
    }
    return texts.get(unverified_done, "")
