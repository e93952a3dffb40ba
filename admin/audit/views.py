"""Every record by what it says: `/officer/records`, `/officer/record`; and signed files of what was found.

Whoever searches without naming a person sees nobody's name, and the search itself stands on record. Only a reason
opens the file that a record belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from admin.audit import asking, exports, rows
from admin.audit.forms import ExportForm
from admin.audit.rules import number_of
from admin.officer.forms import reason_errors
from admin.officer.rules import tidy_reason
from admin.officer.service import may_search, pseudonym
from admin.opening import open_file_of
from admin.staff.current import for_roles
from consent import acts
from consent.audit import search
from idp.accounts.models import Resident
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from admin.audit.asking import Asked
    from admin.officer.forms import Errors
    from admin.staff.sessions import StaffMember

bp = Blueprint("audit", __name__, url_prefix="/officer")

PAGE = 50


@bp.get("/records")
@for_roles("officer")
def records(staff: StaffMember) -> str | tuple[str, int]:
    """Records that fit, newest first; that the officer searched is on record before anything is shown."""
    ctx = context()
    before = asking.position(request.args)
    if before is None:
        abort(404)
    with ctx.database.reading() as session:
        asked = asking.read(session, request.args)
        if asked.errors or not request.args:
            return _search_page(session, asked), 422 if asked.errors else 200
    with ctx.database.transaction() as session:
        acts.record(
            session,
            log_key=ctx.vault.subkey("log"),
            kind="records_searched",
            actor=acts.staff(staff.staff_id),
            details={"filter": asked.filters},
            now=ctx.now(),
        )
    with ctx.database.reading() as session:
        return _search_page(session, asked, search.search(session, asked.query, before, PAGE))


def _search_page(session: Any, asked: Asked, page: search.Page | None = None) -> str:
    register = asking.entries(session)
    onward = page.onward if page else None
    found = [rows.record_words(context().vault, one) for one in page.found] if page else []
    return render_template(
        "admin/records.html",
        typed=asked.typed,
        errors=asked.errors,
        options={
            "client": asking.service_options(register),
            "purpose": asking.purpose_options(register),
            "event": asking.event_options(),
            "level": asking.level_options(),
        },
        found=found if page else None,
        looked_back_to=page.looked_back_to if page else None,
        next_url=url_for(".records", **asked.filters, before=asking.cursor(onward)) if onward else None,
        first_url=url_for(".records", **asked.filters) if "before" in request.args else "",
        export_url=url_for(".export", **asked.filters),
    )


@bp.get("/record")
@for_roles("officer")
def record(_staff: StaffMember) -> str:
    """One record, whose it is by pseudonym only, and the question for a reason to open the file."""
    return _record_page("", [])


@bp.post("/record")
@for_roles("officer")
def open_record(staff: StaffMember) -> Response | tuple[str, int]:
    """Open the file that a record belongs to; the look-up is recorded in the same transaction."""
    reason = tidy_reason(request.form.get("reason", ""))
    errors = reason_errors(reason)
    if errors:
        return _record_page(reason, errors), 422
    ctx = context()
    now = ctx.now()
    if not may_search(ctx, staff, now=now):
        return _record_page(
            reason, [("", gettext("You searched very often. Wait an hour, then try again."))]
        ), 429
    with ctx.database.transaction() as session:
        found = _found(session)
        resident = session.get(Resident, found.resident_id)
        opened = open_file_of(session, ctx.vault, staff, resident, reason=reason, now=now)
    if opened is None:
        text = gettext("This person’s data has been erased. There is no file to open.")
        return _record_page(reason, [("", text)]), 404
    return redirect(url_for("evidence.page", reference=opened, entry=found.id), 303)


def _record_page(reason: str, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as session:
        found = _found(session)
    return render_template(
        "admin/record.html",
        record=rows.record_words(ctx.vault, found),
        person=pseudonym(ctx.vault, found.resident_id),
        uid=found.uid.hex(),
        reason=reason,
        errors=errors,
        action=url_for(".open_record", entry=found.id),
    )


def _found(session: Any) -> search.Found:
    """The record of this address; 404 for none."""
    record_id = number_of(request.args.get("entry", ""))
    found = None if record_id is None else search.by_id(session, record_id)
    if found is None:
        abort(404)
    return found


# --- files ---


@bp.get("/export")
@for_roles("officer")
def export(_staff: StaffMember) -> str | tuple[str, int]:
    """Ask in which form and why."""
    return _export_page(ExportForm("csv", ""), [])


@bp.post("/export")
@for_roles("officer")
def export_file(staff: StaffMember) -> Response | tuple[str, int] | str:
    """All that is found, as a signed file; the export is on record before the first byte leaves."""
    typed = ExportForm.read(request.form)
    errors = typed.errors()
    ctx = context()
    with ctx.database.reading() as session:
        asked = asking.read(session, request.args)
    if errors or asked.errors:
        return _export_page(typed, [*errors, *asked.errors]), 422
    return exports.send(exports.records_export(ctx, staff, asked, typed, now=ctx.now()))


def _export_page(typed: ExportForm, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as session:
        asked = asking.read(session, request.args)
        register = asking.entries(session)
    options = {"client": asking.service_options(register), "purpose": asking.purpose_options(register)}
    return render_template(
        "admin/export.html",
        filters=exports.filter_words(asked, options),
        typed=typed,
        errors=errors,
        action=url_for(".export_file", **asked.filters),
    )


@bp.get("/exports")
@for_roles("officer")
def all_exports(_staff: StaffMember) -> str:
    """Every export, newest first, with its signature."""
    before = number_of(request.args.get("before", str(acts.NEWEST)))
    if before is None:
        abort(404)
    with context().database.reading() as session:
        done = exports.listed(session, before, PAGE)
    further = len(done) == PAGE
    return render_template(
        "admin/exports.html",
        done=[exports.in_words(one) for one in done],
        next_url=url_for(".all_exports", before=done[-1].id) if further else None,
        first_url=url_for(".all_exports") if "before" in request.args else "",
    )


@bp.get("/exports/signature")
@for_roles("officer")
def signature(_staff: StaffMember) -> Response:
    """The detached signature of one export."""
    number = number_of(request.args.get("export", ""))
    with context().database.reading() as session:
        found = None if number is None else exports.find(session, number)
    if found is None:
        abort(404)
    return exports.sidecar(found)
