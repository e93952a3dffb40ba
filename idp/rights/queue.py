"""What an officer does with requests: the queue by due date, and every step of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import select

from idp.accounts.models import Resident
from idp.messaging.service import tell
from idp.rights import cases, effects
from idp.rights.models import Request
from idp.rights.rules import Action, urgency

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.rights.cases import Case
    from idp.web.context import Context


@dataclass(frozen=True, slots=True)
class Listed:
    """One request in the queue: nothing in it says who asks."""

    id: str
    reference: str
    resident_id: str
    kind: str
    about: str
    state: str
    received_at: int
    due_at: int
    ended_at: int | None
    urgency: str


class Refused(Enum):
    """Why a step was not taken."""

    MOVED = "moved"
    GONE = "gone"
    FROZEN = "frozen"


_LISTED = tuple(getattr(Request, name) for name in Listed.__dataclass_fields__ if name != "urgency")


def listed(
    session: Session, ctx: Context, *, is_open: bool, limit: int, after: int = 0, now: int
) -> list[Listed]:
    """Requests, those due soonest first; or those that ended, the newest first."""
    soon_for = ctx.settings.rights.soon_for
    found = select(*_LISTED).limit(limit).offset(after)
    if is_open:
        found = found.where(Request.ended_at.is_(None)).order_by(Request.due_at, Request.id)
    else:
        found = found.where(Request.ended_at.is_not(None)).order_by(Request.ended_at.desc(), Request.id)
    return [
        Listed(**row._asdict(), urgency=urgency(row.due_at, now=now, soon_for=soon_for))
        for row in session.execute(found)
    ]


def whose(session: Session, request_id: str) -> Resident | None:
    """The resident of a request, to record the look-up before anything is read."""
    return session.execute(
        select(Resident).join(Request, Request.resident_id == Resident.id).where(Request.id == request_id)
    ).scalar_one_or_none()


def act(
    session: Session,
    ctx: Context,
    request_id: str,
    action: Action,
    *,
    actor: str,
    words: str,
    now: int,
) -> Case | Refused:
    """Take a request further, do what follows from it, and tell its resident; the request as it was before.

    What is said is read on the page alone: no message carries it.
    """
    resident = whose(session, request_id)
    if resident is not None:  # from here on nothing else freezes or closes the account
        session.refresh(resident, with_for_update=True)
    if resident is None or resident.data_key is None:
        return Refused.GONE
    case = cases.read(session, ctx.vault, resident, request_id)
    assert case is not None
    if action is Action.FULFIL and case.kind == "erasure" and resident.state != "active":
        return Refused.FROZEN
    moved = cases.move(session, ctx, resident, request_id, action, actor=actor, words=words, now=now)
    if moved is None:
        return Refused.MOVED
    _effect(session, ctx, resident, case, action, now=now)
    if action is not Action.ACKNOWLEDGE and resident.data_key is not None:
        facts = {
            "reference": case.reference,
            "link": f"{ctx.settings.server.issuer}/privacy/rights/{case.id}",
            "not_me_url": "",
        }
        tell(session, ctx.vault, resident, "request_moved", facts, now=now)
    return case


def _effect(
    session: Session, ctx: Context, resident: Resident, case: Case, action: Action, *, now: int
) -> None:
    if action is Action.FULFIL and case.kind == "rectification":
        effects.rectify(session, ctx, resident, case, now=now)
    elif action is Action.FULFIL and case.kind == "erasure":
        effects.erase(session, ctx, resident, case, now=now)
    elif action is Action.REFUSE and case.kind == "objection":
        effects.let_go_on(session, case)
