"""Incidents at services: `/officer/incidents`, `/officer/incident`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from admin.audit import asking
from admin.audit.rules import number_of
from admin.audit.seen import spoken
from admin.incidents import service
from admin.incidents.forms import IncidentForm, text_errors, tidy_text
from admin.officer import words
from admin.services import service_name
from admin.staff.current import for_roles
from consent import labels
from consent.audit import affected
from idp.web.context import context
from idp.web.languages import current_language
from idp.web.locales import day_in

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from admin.incidents.service import Incident
    from admin.officer.forms import Errors
    from admin.staff.sessions import StaffMember

bp = Blueprint("incidents", __name__, url_prefix="/officer")


@bp.get("/incidents")
@for_roles("officer")
def all_incidents(_staff: StaffMember) -> str:
    """Incidents on record, and the form for a new one."""
    return _list_page(IncidentForm.read({}, context().settings.town.time_zone), [])


@bp.post("/incidents")
@for_roles("officer")
def open_one(staff: StaffMember) -> Response | tuple[str, int]:
    """Record an incident; the count of people is made in the same transaction."""
    ctx = context()
    now = ctx.now()
    typed = IncidentForm.read(request.form, ctx.settings.town.time_zone)
    with ctx.database.reading() as session:
        known = dict(asking.service_options(asking.entries(session)))
    errors = typed.errors(known, now=now)
    if errors or typed.since is None or typed.until is None or typed.aware_at is None:
        return _list_page(typed, errors), 422
    with ctx.database.transaction() as session:
        service.open_incident(
            session,
            ctx,
            staff,
            client_id=typed.typed["client"],
            since=typed.since,
            until=typed.until,
            aware_at=typed.aware_at,
            what=typed.typed["what"],
            now=now,
        )
        (newest,) = service.incidents(session, limit=1)
    return redirect(url_for(".one", number=newest.number), 303)


@bp.get("/incident")
@for_roles("officer")
def one(_staff: StaffMember) -> str:
    """One incident: whom it concerns, its clock, and the words to people."""
    return _page("", [])


@bp.post("/incident")
@for_roles("officer")
def act(staff: StaffMember) -> Response | tuple[str, int]:
    """Tell those affected, or record that the authority was told."""
    ctx = context()
    now = ctx.now()
    with ctx.database.reading() as session:
        incident = _found(session)
    if request.form.get("do") == "report":
        with ctx.database.transaction() as session:
            service.report(session, ctx, staff, incident, now=now)
        return redirect(url_for(".one", number=incident.number), 303)
    text = tidy_text(request.form.get("text", ""))
    errors = text_errors(text)
    if errors:
        return _page(text, errors), 422
    name = service_name(incident.client_id)
    said = service.Words(text, name, _reason(incident, name), _claims_in)
    service.tell_affected(ctx, staff, incident, said, now=now)
    return redirect(url_for(".one", number=incident.number), 303)


def _list_page(typed: IncidentForm, errors: Errors) -> str:
    ctx = context()
    with ctx.database.reading() as session:
        options = asking.service_options(asking.entries(session))
        found = service.incidents(session)
        reported = {each.number: _reported(session, each) for each in found}
    return render_template(
        "admin/incidents.html",
        options=options,
        typed=typed.typed,
        errors=errors,
        found=[
            {
                "url": url_for(".one", number=each.number),
                "service": service_name(each.client_id),
                "what": each.what,
                "people": each.people,
                "due_at": each.due_at,
                "clock": _clock(each, reported[each.number]),
            }
            for each in found
        ],
    )


def _page(text: str, errors: Errors) -> str:
    with context().database.reading() as session:
        incident = _found(session)
        told = len(affected.told(session, service.NOTIFIED, incident.number))
        reported = _reported(session, incident)
    return render_template(
        "admin/incident.html",
        incident=incident,
        service=service_name(incident.client_id),
        until=incident.until - 1,
        claims=[(words.claims_text([claim]), number) for claim, number in incident.by_claim.items()],
        told=told,
        reported_at=reported,
        clock=_clock(incident, reported),
        text=text,
        errors=errors,
        action=url_for(".act", number=incident.number),
    )


def _found(session: Any) -> Incident:
    """The incident of this address; 404 for none."""
    number = number_of(request.args.get("number", ""))
    found = None if number is None else service.find(session, number)
    if found is None:
        abort(404)
    return found


def _reported(session: Any, incident: Incident) -> int | None:
    return affected.reported_at(session, service.REPORTED, incident.number)


def _clock(incident: Incident, reported_at: int | None) -> tuple[str, str]:
    """The 72 hours in words, and the colour of them."""
    if reported_at is not None:
        in_time = reported_at <= incident.due_at
        return (gettext("Reported"), "success") if in_time else (gettext("Reported late"), "warning")
    left = incident.due_at - context().now()
    hours = abs(left) // 3600
    if left < 0:
        return gettext("Overdue for %(hours)s hours", hours=hours), "danger"
    return gettext("%(hours)s hours left to report it", hours=hours), "warning"


def _reason(incident: Incident, name: str) -> str:
    """What the person reads on their privacy page, in the town's first language."""
    settings = context().settings.town
    language = current_language()
    first, last = (day_in(language, at, settings.time_zone) for at in (incident.since, incident.until - 1))
    said: str = gettext(
        "Incident at %(service)s between %(first)s and %(last)s", service=name, first=first, last=last
    )
    return said


def _claims_in(language: str, claims: tuple[str, ...]) -> str:
    """What was passed on, as the person reads it."""
    with spoken(language):
        return labels.released_text(claims)
