"""`/requests`: the queue, and one request at a time. No address of a page names a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext

from admin.requests.forms import OFFICERS, Decision, Errors
from admin.requests.service import is_open, open_request
from admin.services import service_name
from admin.staff.current import for_roles
from consent import acts
from idp.rights import cases, effects, queue, words
from idp.rights.queue import Refused
from idp.rights.rules import NEEDS_WORDS, Action, urgency
from idp.web.context import context
from idp.web.pages import error_page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from admin.staff.sessions import StaffMember
    from idp.accounts.models import Resident
    from idp.rights.cases import Case
    from idp.web.context import Context

bp = Blueprint("requests", __name__, url_prefix="/requests")

PAGE = 50
_COLOURS = {"red": "danger", "amber": "warning", "green": "success"}
_MAX_PAGES = 1000


@bp.get("")
@for_roles("officer")
def listed(_staff: StaffMember) -> str:
    """Every request that waits, those due soonest first; or those that ended."""
    ctx = context()
    is_waiting = request.args.get("show") != "ended"
    page = _page_number()
    with ctx.database.reading() as session:
        found = queue.listed(session, ctx, is_open=is_waiting, limit=PAGE, after=page * PAGE, now=ctx.now())
    more: dict[str, Any] = {} if is_waiting else {"show": "ended"}
    return render_template(
        "admin/requests.html",
        is_open=is_waiting,
        requests=[_line(one) for one in found],
        next_url=url_for(".listed", page=page + 1, **more) if len(found) == PAGE else None,
        first_url=url_for(".listed", **more) if page else "",
    )


@bp.get("/<request_id>")
@for_roles("officer")
def one(staff: StaffMember, request_id: str) -> str:
    """A request: what the queue says of it, and all of it while the look-up stands."""
    return _request_page(staff, request_id, Decision(None, ""), [])


@bp.post("/<request_id>/open")
@for_roles("officer")
def open_one(staff: StaffMember, request_id: str) -> Response:
    """Record the look-up, with the request as its reason, and show it."""
    ctx = context()
    with ctx.database.transaction() as session:
        case = _case(session, ctx, request_id)
        reason = gettext("Request %(reference)s by the resident", reference=case.reference)
        reference = open_request(session, ctx.vault, staff, request_id, reason, now=ctx.now())
    if reference is None:
        return redirect(url_for(".one", request_id=request_id), 303)
    return redirect(url_for(".one", request_id=request_id, file=reference), 303)


@bp.post("/<request_id>")
@for_roles("officer")
def decide(staff: StaffMember, request_id: str) -> Response | str | tuple[str, int]:
    """Take the request further; only while it is open in this session."""
    ctx, typed = context(), Decision.read(request.form)
    now = ctx.now()
    with ctx.database.reading() as session:
        case = _case(session, ctx, request_id)
        if not is_open(session, staff, request_id, _file(), now=now):
            return _over()
    is_erasure = case.kind == "erasure" and typed.action is Action.FULFIL
    errors = typed.errors(is_final=is_erasure and "sure" not in request.form)
    if errors:
        return _request_page(staff, request_id, typed, errors), 422
    assert typed.action is not None
    with ctx.database.transaction() as writing:
        actor = acts.staff(staff.staff_id)
        outcome = queue.act(writing, ctx, request_id, typed.action, actor=actor, words=typed.words, now=now)
    if isinstance(outcome, Refused):
        return _request_page(staff, request_id, typed, [("action", _refusal(outcome))]), 409
    return redirect(url_for(".one", request_id=request_id, file=_file()), 303)


# --- pieces ---


def _case(session: Any, ctx: Context, request_id: str) -> Case:
    resident = _whose(session, request_id)
    case = cases.read(session, ctx.vault, resident, request_id)
    assert case is not None
    return case


def _whose(session: Any, request_id: str) -> Resident:
    resident = queue.whose(session, request_id)
    if resident is None:
        abort(404)
    return resident


def _request_page(staff: StaffMember, request_id: str, typed: Decision, errors: Errors) -> str:
    ctx = context()
    now = ctx.now()
    with ctx.database.reading() as session:
        resident = _whose(session, request_id)
        case = _case(session, ctx, request_id)
        opened = is_open(session, staff, request_id, _file(), now=now)
        known = effects.current_values(session, ctx, resident) if opened else {}
    level = urgency(case.due_at, now=now, soon_for=ctx.settings.rights.soon_for)
    return render_template(
        "admin/request.html",
        request_line=_shown(case, level),
        opened=opened,
        erased=resident.data_key is None,
        wish=case.wish if opened else {},
        now_on_file=known.get(case.about, "") if case.kind == "rectification" else "",
        steps=[
            {
                "state": words.state_text(step.state),
                "who": words.actor_text(step.actor, own=False),
                "said": step.said if opened else "",
                "when": step.at,
            }
            for step in case.steps
        ],
        actions=[
            (action.value, *_action_text(action, case.kind))
            for action in case.actions(now=now)
            if action in OFFICERS
        ],
        is_erasure=case.kind == "erasure",
        typed=typed,
        errors=errors,
        path=url_for(".one", request_id=request_id),
        file=_file() if opened else "",
    )


def _line(found: queue.Listed) -> dict[str, Any]:
    return _shown(found, found.urgency)


def _shown(found: Case | queue.Listed, level: str) -> dict[str, Any]:
    return {
        "id": found.id,
        "reference": found.reference,
        "kind": words.kind_text(found.kind),
        "about": words.about_text(found.kind, found.about, service_name),
        "state": words.state_text(found.state),
        "received_at": found.received_at,
        "last_day": found.due_at - 1,
        "ended_at": found.ended_at,
        "urgency": level if found.ended_at is None else "",
        "colour": _COLOURS[level],
        "urgency_text": _urgency_text(level),
    }


def _urgency_text(level: str) -> str:
    texts: dict[str, str] = {
        "red": gettext("Overdue"),
        "amber": gettext("Due soon"),
        "green": gettext("In time"),
    }
    return texts[level]


def _action_text(action: Action, kind: str) -> tuple[str, str]:
    """The label of a step, and what it does."""
    hint = gettext("The resident reads your words.") if action in NEEDS_WORDS else ""
    texts: dict[Action, str] = {
        Action.ACKNOWLEDGE: gettext("Acknowledge it"),
        Action.ACCEPT: gettext("Accept it; somebody works on it"),
        Action.ASK: gettext("Ask the resident for more"),
        Action.EXTEND: gettext("Take two months more"),
        Action.FULFIL: gettext("It is done"),
        Action.REFUSE: gettext("Refuse it"),
    }
    fulfilled: dict[str, str] = {
        "rectification": gettext("The new entry replaces the old one, and services that had it are told."),
        "erasure": gettext("The account and all its data are destroyed at once. Services are told."),
        "objection": gettext("The service stays stopped for this resident."),
    }
    refused: dict[str, str] = {"objection": gettext("The service may go on. The resident reads your words.")}
    if action is Action.FULFIL:
        hint = fulfilled.get(kind, "")
    elif action is Action.REFUSE:
        hint = refused.get(kind, hint)
    return texts[action], hint


def _refusal(outcome: Refused) -> str:
    texts: dict[Refused, str] = {
        Refused.MOVED: gettext("Somebody has taken it further meanwhile. Look at where it stands now."),
        Refused.GONE: gettext("The account is erased. Nothing more can be done."),
        Refused.FROZEN: gettext(
            "The account is frozen: somebody else may have asked. Nothing is erased before its owner is back."
        ),
    }
    return texts[outcome]


def _file() -> str:
    return request.values.get("file", "")


def _page_number() -> int:
    text = request.args.get("page", "0")
    if not (text.isascii() and text.isdigit() and int(text[:5]) <= _MAX_PAGES):
        abort(400)
    return int(text)


def _over() -> Response:
    return error_page(
        410,
        gettext("This look-up has ended"),
        gettext("A file stays open for half an hour."),
        gettext("Open the request again."),
    )
