"""The rows of requests: made, read, and moved on by one conditional write each, with the act and the step that say so."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from consent import acts
from idp.accounts.service import log_key
from idp.rights import rules
from idp.rights.clock import due_at
from idp.rights.models import ENDED, Request, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.rights.rules import Action
    from idp.web.context import Context
    from keys.envelope import Vault

#: Without vowels and without signs that are taken for one another.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ2346789"
#: `about` is a service for these; the name of an attribute, or nothing, for all others.
_OF_SERVICES = frozenset({"restriction", "objection"})
_DONE = {
    rules.Action.ACKNOWLEDGE: "request_acknowledged",
    rules.Action.ACCEPT: "request_accepted",
    rules.Action.ASK: "request_asked_back",
    rules.Action.ANSWER: "request_answered",
    rules.Action.EXTEND: "request_extended",
    rules.Action.FULFIL: "request_fulfilled",
    rules.Action.REFUSE: "request_refused",
    rules.Action.WITHDRAW: "request_withdrawn",
}


@dataclass(frozen=True, slots=True)
class StepShown:
    """One step in the clear; `said` is empty when nothing was said, or nobody can read it any more."""

    state: str
    actor: str
    said: str
    at: int


@dataclass(frozen=True, slots=True)
class Case:
    """One request in the clear; `wish` is empty once its resident is erased."""

    id: str
    reference: str
    resident_id: str
    kind: str
    about: str
    state: str
    wish: Mapping[str, str]
    received_at: int
    due_at: int
    extended_at: int | None
    ended_at: int | None
    steps: Sequence[StepShown] = ()

    def actions(self, *, now: int) -> tuple[Action, ...]:
        """What may be done with it now."""
        return rules.possible(
            self.state, is_extended=self.extended_at is not None, is_overdue=now >= self.due_at
        )


def create(  # noqa: PLR0917
    session: Session,
    ctx: Context,
    resident: Resident,
    kind: str,
    about: str,
    wish: Mapping[str, str],
    *,
    state: str = "acknowledged",
    now: int,
) -> Request | None:
    """Take a request in, acknowledged at once; None when the same one is open already.

    Raises:
        LookupError: when the resident's data key is destroyed.
    """
    if resident.data_key is None:
        raise LookupError("the resident's data key is destroyed")
    request_id, key = secrets.token_urlsafe(16), ctx.vault.open_data_key(resident.data_key)
    sealed = key.seal(orjson.dumps(dict(wish)).decode(), f"rights_request|{request_id}") if wish else None
    row = Request(
        id=request_id,
        reference=new_reference(),
        resident_id=resident.id,
        kind=kind,
        about=about,
        state=state,
        wish=sealed,
        received_at=now,
        due_at=due_at(ctx.settings, now),
        extended_at=None,
        ended_at=now if state in ENDED else None,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    for became in dict.fromkeys(("initiated", "acknowledged", state)):
        _step(
            session,
            ctx.vault,
            resident,
            request_id,
            became,
            acts.SELF if became == "initiated" else acts.TOWN,
            now=now,
        )
    record(session, ctx.vault, resident, row, "request_received", acts.SELF, now=now)
    return row


def move(
    session: Session,
    ctx: Context,
    resident: Resident,
    request_id: str,
    action: Action,
    *,
    actor: str,
    words: str = "",
    now: int,
) -> Request | None:
    """Take a request one step further; None when it does not stand where that is possible.

    Raises:
        ValueError: when the step needs words and there are none.
    """
    if action in rules.NEEDS_WORDS and not words:
        raise ValueError(f"{action} needs words")
    before, after = rules.moves(action)
    values: dict[str, Any] = {"state": after, "ended_at": now if after in ENDED else None}
    which = [Request.id == request_id, Request.resident_id == resident.id, Request.state.in_(before)]
    if action is rules.Action.EXTEND:
        received_at = session.execute(select(Request.received_at).where(*which)).scalar_one_or_none()
        if received_at is None:
            return None
        months = rules.MONTHS + rules.MONTHS_MORE
        values |= {"extended_at": now, "due_at": due_at(ctx.settings, received_at, months=months)}
        which += [Request.extended_at.is_(None), Request.due_at > now]
    moved = session.execute(
        update(Request).where(*which).values(**values).returning(Request.id),
        execution_options={"synchronize_session": False},
    ).first()
    if moved is None:
        return None
    _step(session, ctx.vault, resident, request_id, after, actor, said=words, now=now)
    row = session.get_one(Request, request_id, populate_existing=True)
    record(session, ctx.vault, resident, row, _DONE[action], actor, now=now)
    return row


def record(  # noqa: PLR0917
    session: Session, vault: Vault, resident: Resident, row: Request, kind: str, actor: str, *, now: int
) -> None:
    """Have the log know what happened to a request."""
    key = log_key(vault, resident)
    assert key is not None
    acts.record(
        session,
        log_key=key,
        kind=kind,
        actor=actor,
        resident_id=resident.id,
        client_id=(row.about or None) if row.kind in _OF_SERVICES else None,
        details={"reference": row.reference, "right": row.kind, "about": row.about},
        now=now,
    )


def read(session: Session, vault: Vault, resident: Resident, request_id: str) -> Case | None:
    """A resident's request with its steps."""
    row = session.execute(
        select(Request).where(Request.id == request_id, Request.resident_id == resident.id)
    ).scalar_one_or_none()
    if row is None:
        return None
    steps = session.execute(select(Step).where(Step.request_id == row.id).order_by(Step.id)).scalars()
    return _case(vault, resident, row, tuple(_shown(vault, resident, one) for one in steps))


def of_resident(session: Session, vault: Vault, resident: Resident) -> list[Case]:
    """Every request of a resident, the newest first; without their steps."""
    rows = session.execute(
        select(Request)
        .where(Request.resident_id == resident.id)
        .order_by(Request.received_at.desc(), Request.id)
    ).scalars()
    return [_case(vault, resident, row) for row in rows]


def new_reference() -> str:
    """What a request is called: eight letters and digits that are read out without mistakes."""
    drawn = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


def _case(vault: Vault, resident: Resident, row: Request, steps: Sequence[StepShown] = ()) -> Case:
    wish = {}
    if row.wish is not None and resident.data_key is not None:
        wish = orjson.loads(vault.open_data_key(resident.data_key).open(row.wish, f"rights_request|{row.id}"))
    return Case(
        row.id,
        row.reference,
        row.resident_id,
        row.kind,
        row.about,
        row.state,
        wish,
        row.received_at,
        row.due_at,
        row.extended_at,
        row.ended_at,
        steps,
    )


def _shown(vault: Vault, resident: Resident, step: Step) -> StepShown:
    said = ""
    if step.said is not None and resident.data_key is not None:
        said = vault.open_data_key(resident.data_key).open(step.said, _said(step.request_id, step.at))
    return StepShown(step.state, step.actor, said, step.at)


def _step(  # noqa: PLR0917
    session: Session,
    vault: Vault,
    resident: Resident,
    request_id: str,
    state: str,
    actor: str,
    *,
    said: str = "",
    now: int,
) -> None:
    assert resident.data_key is not None
    sealed = vault.open_data_key(resident.data_key).seal(said, _said(request_id, now)) if said else None
    session.execute(insert(Step).values(request_id=request_id, state=state, actor=actor, said=sealed, at=now))


def _said(request_id: str, at: int) -> str:
    return f"rights_step|{request_id}|{at}"
