"""Questions that services ask outside a sign-in, and their answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import bindparam, func, insert, select, update

from consent import models, purposes, records, rules, working_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consent.executor import Executor

Said = Literal["given", "refused", "deferred"]

_QUESTION, _RECORD = models.table(working_models.Question), models.table(models.Record)
_PURPOSE = models.table(models.Purpose)
_OPEN: Final = ("asked", "deferred")
#: Who said no is left in peace for so long, in seconds.
ASK_AGAIN_AFTER: Final = 90 * records.DAY
_CONTROLS: Final[Mapping[Said, str]] = {
    "given": "question-yes",
    "refused": "question-no",
    "deferred": "question-later",
}
_OF_RESIDENT = (
    select(_QUESTION)
    .where(_QUESTION.c.resident_id == bindparam("resident_id"), _QUESTION.c.state.in_(_OPEN))
    .order_by(_QUESTION.c.asked_at, _QUESTION.c.id)
)
_WAITING = (
    select(_QUESTION.c.id)
    .where(
        _QUESTION.c.resident_id == bindparam("resident_id"),
        _QUESTION.c.purpose_id == bindparam("purpose_id"),
        _QUESTION.c.state.in_(_OPEN),
    )
    .limit(1)
)
_COUNT = (
    select(func.count())
    .join_from(_QUESTION, _PURPOSE, _PURPOSE.c.id == _QUESTION.c.purpose_id)
    .where(
        _QUESTION.c.resident_id == bindparam("resident_id"),
        _QUESTION.c.state == "asked",
        _PURPOSE.c.ended_at.is_(None),
    )
)
_SETTLE = (
    update(_QUESTION)
    .where(
        _QUESTION.c.id == bindparam("question_id"),
        _QUESTION.c.resident_id == bindparam("whose"),
        _QUESTION.c.state.in_(_OPEN),
    )
    .values(state=bindparam("becomes"), changed_at=bindparam("when"))
)
_DECISIONS = records.EVENTS.where(
    _RECORD.c.purpose_id == bindparam("purpose_id"),
    _RECORD.c.resident_id.in_(bindparam("resident_ids", expanding=True)),
).order_by(_RECORD.c.id)


@dataclass(frozen=True, slots=True)
class Question:
    """One question that waits, in words: which service asks for what."""

    id: str
    client_id: str
    purpose: purposes.Purpose
    notice: purposes.Notice
    is_deferred: bool
    asked_at: int


def may_be_asked(purpose: purposes.Purpose) -> bool:
    """Whether a purpose can be asked about outside a sign-in now."""
    return purpose.is_question and purpose.state == "published"


def ask(
    connection: Executor,
    *,
    log_key: bytes,
    resident_id: str,
    purpose: purposes.Purpose,
    language: str,
    fallback: str,
    now: int,
) -> bool:
    """Put a question to a resident; False when it waits already, is agreed to, or was refused not long ago.

    Who asks is told the same in every case. Raises ValueError for a purpose that can't be asked about like this.
    """
    if not may_be_asked(purpose):
        raise ValueError("only a purpose that rests on consent and asks for no data can be asked about")
    mine = {"resident_id": resident_id, "purpose_id": purpose.id}
    choice = records.current_choice(connection, resident_id, purpose.id, now)
    if not _is_news(choice, purpose, now=now) or connection.execute(_WAITING, mine).first() is not None:
        return False
    notice = purposes.notices_for(connection, [purpose.id], language, fallback)[purpose.id]
    row = {**mine, "id": secrets.token_urlsafe(16), "client_id": purpose.client_id, "state": "asked"}
    connection.execute(insert(_QUESTION), {**row, "asked_at": now, "changed_at": now})
    records.append_event(
        connection,
        log_key=log_key,
        resident_id=resident_id,
        client_id=purpose.client_id,
        purpose_id=purpose.id,
        event="requested",
        claims_offered=(),
        claims_chosen=(),
        notice_hash=notice.body_hash,
        language=notice.language,
        control="consent-request",
        authentication={},
        actor=f"client:{purpose.client_id}",
        now=now,
    )
    return True


def how_many(connection: Executor, resident_id: str) -> int:
    """How many questions wait that the resident has not put off, and that the town has not ended."""
    return int(connection.execute(_COUNT, {"resident_id": resident_id}).scalar() or 0)


def waiting(connection: Executor, resident_id: str, language: str, fallback: str) -> list[Question]:
    """The questions that wait for a resident, oldest first; those put off too."""
    rows = connection.execute(_OF_RESIDENT, {"resident_id": resident_id}).all()
    notices = purposes.notices_for(connection, [row.purpose_id for row in rows], language, fallback)
    found = []
    for row in rows:
        purpose = purposes.find_purpose(connection, row.purpose_id)
        if purpose is not None and may_be_asked(purpose):
            notice = notices[purpose.id]
            found.append(
                Question(row.id, row.client_id, purpose, notice, row.state == "deferred", row.asked_at)
            )
    return found


def answer(
    connection: Executor,
    question: Question,
    said: Said,
    *,
    log_key: bytes,
    resident_id: str,
    authentication: Mapping[str, Any],
    now: int,
) -> bool:
    """Record what a resident said to a question that :func:`waiting` gave; False when it was answered meanwhile."""
    values = {"question_id": question.id, "whose": resident_id, "when": now}
    becomes = "deferred" if said == "deferred" else "answered"
    if connection.execute(_SETTLE, {**values, "becomes": becomes}).rowcount != 1:
        return False
    records.append_event(
        connection,
        log_key=log_key,
        resident_id=resident_id,
        client_id=question.client_id,
        purpose_id=question.purpose.id,
        event=said,
        claims_offered=(),
        claims_chosen=(),
        notice_hash=question.notice.body_hash,
        language=question.notice.language,
        control=_CONTROLS[said],
        authentication=authentication,
        valid_until=rules.valid_until(said, question.purpose.valid_for, now=now),
        now=now,
    )
    return True


def decisions(
    connection: Executor, purpose: purposes.Purpose, resident_ids: Sequence[str], *, now: int
) -> set[str]:
    """Those among some residents who agree to a purpose now; one statement however many, or whoever, they are.

    An agreement to words that changed in substance since is none.
    """
    events: dict[str, list[rules.Event]] = {}
    asked = {"purpose_id": purpose.id, "resident_ids": list(resident_ids)}
    for row in connection.execute(_DECISIONS, asked):
        events.setdefault(row.resident_id, []).append(records.event_of(row))
    state = {one: rules.current_state(history, now).get(purpose.id) for one, history in events.items()}
    return {
        one
        for one, choice in state.items()
        if choice is not None and choice.in_force and choice.notice_version >= purpose.material_version
    }


def _is_news(choice: rules.Choice | None, purpose: purposes.Purpose, *, now: int) -> bool:
    if choice is None or choice.notice_version < purpose.material_version:
        return True
    return not choice.in_force and (choice.state == "expired" or choice.at + ASK_AGAIN_AFTER <= now)
