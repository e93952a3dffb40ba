"""Drafts of notices, and the end of purposes: `/notices`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError

from admin.notices import pages
from admin.notices.forms import DraftForm, reason_of, revision_of
from admin.notices.words import done_text, finding_text
from admin.services import names_of
from admin.staff.current import for_roles
from consent import acts, drafts, ending, purposes
from consent.drafts import DraftChanged, DraftRefused, PurposeEnded
from idp.jobs.stamps import PURPOSES, bump
from idp.web.context import context
from idp.web.languages import current_language

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from admin.notices.forms import Errors
    from admin.staff.sessions import StaffMember
    from consent.drafts import Draft
    from consent.purposes import Purpose

    Page = str | Response | tuple[str, int]

bp = Blueprint("notices", __name__, url_prefix="/notices")


@bp.get("")
@for_roles("officer")
def overview(_staff: StaffMember) -> str:
    """Every open draft, and every purpose with the notice in force."""
    with context().database.reading() as session:
        waiting, rows = pages.overview(session, names_of)
    done = done_text(request.args.get("done", ""))
    return render_template("admin/notices.html", drafts=waiting, purposes=rows, done=done)


@bp.errorhandler(PurposeEnded)
def _ended(_error: PurposeEnded) -> Response:
    """Somebody ended it meanwhile, and its draft went with it."""
    return redirect(url_for(".overview", done="ended-before"), 303)


@bp.post("/purposes/<purpose_id>/draft")
@for_roles("officer")
def begin(_staff: StaffMember, purpose_id: str) -> Response:
    """Begin a draft with what is in force; or go to the one that is open."""
    ctx = context()
    try:
        with ctx.database.transaction() as session:
            purpose = _purpose(session, purpose_id)
            contents = drafts.in_force(session, purpose)
            draft_id = drafts.begin(session, purpose.id, contents, now=ctx.now())
    except IntegrityError:
        with ctx.database.reading() as session:
            draft_id = next(one.id for one in drafts.open_drafts(session) if one.purpose_id == purpose_id)
    return redirect(url_for(".draft", draft_id=draft_id), 303)


@bp.get("/purposes/<purpose_id>/end")
@for_roles("officer")
def to_end(_staff: StaffMember, purpose_id: str) -> str:
    """What ending a purpose does, and for how many residents; with the question why."""
    return _end_page(purpose_id, [])


@bp.post("/purposes/<purpose_id>/end")
@for_roles("officer")
def end(staff: StaffMember, purpose_id: str) -> Page:
    """End a purpose for good, with a reason that stands in the log."""
    reason, errors = reason_of(request.form, "reason")
    if errors:
        return _end_page(purpose_id, errors, reason), 422
    ctx = context()
    with ctx.database.transaction() as session:
        ending.end(
            session,
            _purpose(session, purpose_id),
            log_key=ctx.vault.subkey("log"),
            actor=acts.staff(staff.staff_id),
            reason=reason,
            now=ctx.now(),
        )
        bump(session, PURPOSES)
    return redirect(url_for(".overview", done="ended"), 303)


@bp.get("/drafts/<draft_id>")
@for_roles("officer")
def draft(_staff: StaffMember, draft_id: str) -> Page:
    """A draft: what it says, what it changes, for how many, and what may be done with it."""
    return _page(draft_id, [])


@bp.get("/drafts/<draft_id>/page")
@for_roles("officer")
def shown(_staff: StaffMember, draft_id: str) -> str:
    """The page as residents will see it, with made-up data."""
    language = request.args.get("language", "")
    ctx = context()
    with ctx.database.reading() as session:
        found = _found(session, draft_id)
        if language not in found.contents.texts:
            abort(404)
        g.language = language
        values = pages.as_residents_see_it(session, found, language, names_of)
    return render_template("ui/release.html", action=url_for(".shown", draft_id=draft_id), **values)


@bp.post("/drafts/<draft_id>/page")
@for_roles("officer")
def not_answered(_staff: StaffMember, draft_id: str) -> Response:
    """The buttons of that page do nothing here."""
    return redirect(url_for(".draft", draft_id=draft_id), 303)


@bp.post("/drafts/<draft_id>")
@for_roles("officer")
def save(_staff: StaffMember, draft_id: str) -> Page:
    """Keep what was typed, and hand it to review if that was the button."""
    ctx = context()
    languages = ctx.settings.town.languages
    with ctx.database.reading() as session:
        before = _found(session, draft_id)
    typed = DraftForm.read(request.form, before.contents, languages)
    if typed.errors:
        return _page(draft_id, typed.errors, typed=typed), 422

    def write(session: Session, seen: Draft) -> None:
        drafts.edit(session, seen, typed.contents, now=ctx.now())
        if request.form.get("then") == "review":
            drafts.submit(session, _found(session, draft_id), town_languages=languages, now=ctx.now())

    return _written(draft_id, write, typed=typed)


@bp.post("/drafts/<draft_id>/send-back")
@for_roles("officer")
def send_back(_staff: StaffMember, draft_id: str) -> Page:
    """Back to a draft, with a remark for whoever wrote it."""
    remark, errors = reason_of(request.form, "remark")
    if errors:
        return _page(draft_id, errors), 422
    now = context().now()
    return _written(draft_id, lambda session, seen: drafts.send_back(session, seen, remark=remark, now=now))


@bp.post("/drafts/<draft_id>/discard")
@for_roles("officer")
def discard(_staff: StaffMember, draft_id: str) -> Page:
    """Nothing comes of it."""
    now = context().now()
    found = _written(draft_id, lambda session, seen: drafts.discard(session, seen, now=now))
    return found if isinstance(found, tuple) else redirect(url_for(".overview"), 303)


@bp.post("/drafts/<draft_id>/publish")
@for_roles("officer")
def publish(staff: StaffMember, draft_id: str) -> Page:
    """Publish it, for ever unchangeable, with a reason that stands in the log."""
    reason, errors = reason_of(request.form, "reason")
    if errors:
        return _page(draft_id, errors), 422
    ctx = context()

    def write(session: Session, seen: Draft) -> None:
        drafts.publish(
            session,
            seen,
            log_key=ctx.vault.subkey("log"),
            actor=acts.staff(staff.staff_id),
            reason=reason,
            town_languages=ctx.settings.town.languages,
            now=ctx.now(),
        )
        bump(session, PURPOSES)

    found = _written(draft_id, write)
    return found if isinstance(found, tuple) else redirect(url_for(".overview"), 303)


def _written(
    draft_id: str, write: Callable[[Session, Draft], None], *, typed: DraftForm | None = None
) -> Response | tuple[str, int]:
    """Do something with the very revision that was on the page; else show it as it is now, and say so."""
    try:
        with context().database.transaction() as session:
            seen = replace(_found(session, draft_id), revision=revision_of(request.form))
            write(session, seen)
    except DraftChanged:
        changed = gettext("Somebody changed this draft since you opened it. Please look at it again.")
        return _page(draft_id, [("", changed)]), 409
    except DraftRefused as error:
        return _page(draft_id, [("", finding_text(one)) for one in error.findings], typed=typed), 422
    except ValueError as error:
        return _page(draft_id, [("", str(error))], typed=typed), 422
    return redirect(url_for(".draft", draft_id=draft_id), 303)


def _page(draft_id: str, errors: Errors, *, typed: DraftForm | None = None) -> str:
    languages = context().settings.town.languages
    with context().database.reading() as session:
        found = _found(session, draft_id)
        values: dict[str, Any] = pages.draft(session, found, languages, names_of)
    contents = typed.contents if typed else found.contents
    return render_template(
        "admin/notice_draft.html", **values, **pages.fields(contents, languages), errors=errors
    )


def _end_page(purpose_id: str, errors: Errors, reason: str = "") -> str:
    fallback = context().settings.town.languages[0]
    with context().database.reading() as session:
        purpose = _purpose(session, purpose_id)
        values = pages.to_end(session, purpose, current_language(), fallback, names_of)
    return render_template("admin/purpose_end.html", **values, reason=reason, errors=errors)


def _purpose(session: Session, purpose_id: str) -> Purpose:
    """A purpose that has not ended. Raises PurposeEnded."""
    found = purposes.find_purpose(session, purpose_id)
    if found is None:
        abort(404)
    if found.state == "ended":
        raise PurposeEnded
    return found


def _found(session: Session, draft_id: str) -> Draft:
    """An open draft. Raises PurposeEnded."""
    found = drafts.find(session, draft_id)
    if found is None:
        abort(404)
    _purpose(session, found.purpose_id)
    if found.state not in drafts.OPEN:
        abort(404)
    return found
