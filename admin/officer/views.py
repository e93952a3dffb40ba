"""Finding one person, and the page about them: `/officer`, `/officer/people/<reference>`.

Neither names nor addresses of people ever stand in an address: a search is a POST, and what it opens has a random
reference that works in this session alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from admin.officer import pages
from admin.officer.forms import Errors, SearchForm
from admin.officer.service import may_search, open_file, pseudonym
from admin.opening import find_file
from admin.services import service_name
from admin.staff.current import for_roles
from consent import records, releases
from idp.web.context import context
from idp.web.pages import error_page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from admin.opening import Opened
    from admin.staff.sessions import StaffMember

bp = Blueprint("officer", __name__, url_prefix="/officer")

PAGE = 50
_MAX_CURSOR_DIGITS = 19


@bp.get("")
@for_roles("officer")
def search(_staff: StaffMember) -> str:
    """Ask for a person and a reason."""
    return _form(SearchForm("", ""), [])


@bp.post("")
@for_roles("officer")
def find(staff: StaffMember) -> Response | tuple[str, int]:
    """Open the file of the person found; the look-up is recorded in the same transaction."""
    typed = SearchForm.read(request.form)
    errors = typed.errors()
    if errors:
        return _form(typed, errors), 422
    ctx = context()
    now = ctx.now()
    if not may_search(ctx, staff, now=now):
        return _form(typed, [("", gettext("You searched very often. Wait an hour, then try again."))]), 429
    with ctx.database.transaction() as session:
        opened = open_file(
            session,
            ctx.vault,
            staff,
            unverified_person=typed.unverified_person,
            reason=typed.reason,
            now=now,
        )
    if opened is None:
        return _form(typed, [("person", gettext("Nobody has this address or user name"))]), 404
    return redirect(url_for(".person", reference=opened), 303)


@bp.get("/people/<reference>")
@for_roles("officer")
def person(staff: StaffMember, reference: str) -> str | Response:
    """One person's services, choices and releases, while the file is open."""
    ctx = context()
    before = {name: _cursor(name) for name in ("records", "releases")}
    with ctx.database.reading() as session:
        found = find_file(session, staff, reference, now=ctx.now())
        if found is None:
            abort(404)
        return over() if found.is_over else _person_page(session, found, reference, before)


def _person_page(session: Any, found: Opened, reference: str, before: dict[str, int]) -> str:
    history = records.history(session, found.resident_id, None, before["records"], PAGE)
    handed = releases.list_for(session, found.resident_id, None, before["releases"], PAGE)
    onward: dict[str, Any] | None = pages.next_cursor({"records": history, "releases": handed}, PAGE)
    here = url_for(".person", reference=reference)
    return render_template(
        "admin/officer_person.html",
        reference=pseudonym(context().vault, found.resident_id),
        reason=found.reason,
        services=pages.services(session, found.resident_id, service_name),
        records=pages.record_lines(history, service_name),
        releases=pages.release_lines(handed, service_name),
        next_url=url_for(".person", reference=reference, **onward) if onward else None,
        first_url=here if request.args else "",
        here_url=here,
    )


def _form(typed: SearchForm, errors: Errors) -> str:
    return render_template(
        "admin/officer_search.html",
        person=typed.unverified_person,
        reason=typed.reason,
        errors=errors,
        action="/officer",
    )


def over() -> Response:
    """The answer for a file that has closed by itself."""
    return error_page(
        410,
        gettext("This look-up has ended"),
        gettext("A file stays open for half an hour."),
        gettext("Find the person again and give your reason."),
    )


def _cursor(name: str) -> int:
    """The cursor of one list; 400 if it is no cursor of ours."""
    text = request.args.get(name, str(records.NEWEST))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_CURSOR_DIGITS):
        abort(400)
    return min(int(text), records.NEWEST)
