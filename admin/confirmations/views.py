"""`/confirmations`: withdrawals and other news that partners have not confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from admin.confirmations.rules import REASON_LIMIT, may_remind, reason_problem, tidy_reason
from admin.services import names_of, registry
from admin.staff.current import for_roles
from consent.withdrawals import service as withdrawals
from consent.withdrawals.rules import state_of
from idp.accounts.evidence import subject_key
from idp.oidc.subjects import known_subject
from idp.signals import events
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from admin.staff.sessions import StaffMember
    from consent.withdrawals.rules import Matter

bp = Blueprint("confirmations", __name__, url_prefix="/confirmations")

PAGE = 50
_EVENTS = {
    "consent-withdrawn": _("Consent withdrawn"),
    "consent-expired": _("Consent ran out"),
    "data-rectified": _("Data corrected"),
    "erasure-requested": _("Erasure asked for"),
    "processing-restricted": _("Processing restricted"),
    "objection": _("Objection"),
}
_STATES = {
    "overdue": _("Overdue"),
    "no_address": _("Not told: the service has no address for it"),
}


@bp.get("")
@for_roles("officer")
def queue(_staff: StaffMember) -> str:
    """Everything that waits for an officer, by due date."""
    return _page([])


@bp.post("/<matter_id>/remind")
@for_roles("officer")
def remind(staff: StaffMember, matter_id: str) -> Response | tuple[str, int]:
    """Have the partner told again, at most once an hour."""
    ctx = context()
    now = ctx.now()
    with ctx.database.transaction() as session:
        matter = _find(session, matter_id)
        is_sent = may_remind(matter.reminded_at, now=now) and events.tell_again(session, matter, now=now)
        if is_sent:
            key = subject_key(session, ctx.vault, matter.resident_id)
            withdrawals.reminded(session, matter, staff_id=staff.staff_id, key=key, now=now)
    if not is_sent:
        text = gettext("The service was told again within the last hour, or has no address for it.")
        return _page([("", text)]), 422
    return redirect(url_for(".queue", done="reminded"), 303)


@bp.post("/<matter_id>/close")
@for_roles("officer")
def close(staff: StaffMember, matter_id: str) -> Response | tuple[str, int]:
    """Close a matter with a reason, which the resident reads."""
    reason = tidy_reason(request.form.get("reason", ""))
    problem = reason_problem(reason)
    if problem is not None:
        return _page([(f"reason-{matter_id}", _reason_text(problem))], typed={matter_id: reason}), 422
    ctx = context()
    with ctx.database.transaction() as session:
        matter = _find(session, matter_id)
        key = subject_key(session, ctx.vault, matter.resident_id)
        withdrawals.close(session, matter, staff_id=staff.staff_id, reason=reason, key=key, now=ctx.now())
    return redirect(url_for(".queue", done="closed"), 303)


def _find(session: Session, unverified_id: str) -> Matter:
    matter = withdrawals.find(session, unverified_id)
    if matter is None:
        abort(404)
    return matter


def _page(errors: list[tuple[str, str]], typed: dict[str, str] | None = None) -> str:
    ctx = context()
    now, after = ctx.now(), _cursor()
    with ctx.database.reading() as session:
        found = withdrawals.awaited(session, now=now, after=after, limit=PAGE + 1)
        number = withdrawals.count_awaited(session, now=now)
        shown = found[:PAGE]
        lines = [_line(session, one, now=now) for one in shown]
    return render_template(
        "admin/confirmations.html",
        matters=lines,
        number=number,
        typed=typed or {},
        errors=errors,
        reason_limit=REASON_LIMIT,
        done=_done(request.args.get("done", "")),
        next_url=url_for(".queue", after=f"{shown[-1].due_at}.{shown[-1].id}") if len(found) > PAGE else None,
        first_url=url_for(".queue") if "after" in request.args else "",
    )


def _line(session: Session, one: Matter, *, now: int) -> dict[str, Any]:
    service, partner = names_of(one.client_id)
    client = registry().find(one.client_id)
    return {
        "id": one.id,
        "what": str(_EVENTS[one.event]),
        "service": service,
        "partner": partner,
        # Who could not be told by an event must be told by the officer, and knows the resident by this alone.
        "subject": known_subject(session, context().vault, client, one.resident_id) if client else "",
        "state": str(_STATES[state_of(one, now=now).value]),
        "since": one.created_at,
        "told_at": one.told_at,
        "due_at": one.due_at,
        "reminded_at": one.reminded_at,
        "can_remind": one.channel == "event" and may_remind(one.reminded_at, now=now),
    }


def _done(unverified_done: str) -> str:
    texts: dict[str, str] = {
        "reminded": gettext("The service is being told again."),
        "closed": gettext("The matter is closed. The resident reads your reason."),
    }
    return texts.get(unverified_done, "")


def _reason_text(problem: str) -> str:
    texts: dict[str, str] = {
        "missing": gettext("Enter why you close this"),
        "too_short": gettext("Give the reason in a few words, such as: confirmed by letter of 3 May"),
        "too_long": gettext("Give the reason in at most %(number)s characters", number=REASON_LIMIT),
        "address": gettext("Leave e-mail addresses out of the reason"),
    }
    return texts[problem]


def _cursor() -> tuple[int, str]:
    """Due date and id of the last matter seen; 400 if it is no cursor of ours."""
    if "after" not in request.args:
        return (-1, "")
    due_at, separator, matter_id = request.args["after"].partition(".")
    is_ours = due_at.isascii() and due_at.isdigit() and len(due_at) <= len(str(2**63)) - 1 and separator
    if not is_ours or not matter_id.isascii() or not matter_id.isprintable() or int(due_at) >= 2**63:
        abort(400)
    return (int(due_at), matter_id[:22])
