"""Consents that end by themselves: the reminder before, the event when it is time, and agreeing once more.

That a consent has ended is decided wherever it is read (:func:`consent.rules.current_state`); what is here puts it into
the history. Each step is spent by one conditional write, so that two jobs at once neither remind nor record twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from consent import models, purposes, records, rules, working_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consent.executor import Executor

_EXPIRING = models.table(working_models.Expiring)
_DUE = (
    select(_EXPIRING)
    .where(_EXPIRING.c.looked_at_next <= bindparam("at"))
    .order_by(_EXPIRING.c.looked_at_next, _EXPIRING.c.resident_id, _EXPIRING.c.purpose_id)
    .limit(bindparam("limit"))
)
_OF_RESIDENT = (
    select(_EXPIRING)
    .where(_EXPIRING.c.resident_id == bindparam("resident_id"))
    .order_by(_EXPIRING.c.ends_at, _EXPIRING.c.purpose_id)
)


class Step(Enum):
    """What there was to do about a consent."""

    NOTHING = "nothing"
    REMIND = "remind"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Due:
    """A consent that has to be looked at."""

    resident_id: str
    client_id: str
    purpose_id: str
    ends_at: int
    looked_at_next: int


@dataclass(frozen=True, slots=True)
class Renewable:
    """A consent that ends, or has ended by itself, and may be given again as it was."""

    purpose: purposes.Purpose
    notice: purposes.Notice
    choice: rules.Choice
    ends_at: int


def due(connection: Executor, *, now: int, limit: int = 200) -> list[Due]:
    """The consents to look at now, the longest due first."""
    return [_due(row) for row in connection.execute(_DUE, {"at": now, "limit": limit})]


def take_step(connection: Executor, one: Due, *, log_key: bytes | None, language: str, now: int) -> Step:
    """Do what is due about one consent, exactly once; the caller then reminds, or narrows grants and tells the partner.

    ``log_key`` is the resident's; None when it is destroyed, and then nothing is left to do. ``language`` is that of
    the town, in which nobody was asked anything.
    """
    choice = records.current_choice(connection, one.resident_id, one.purpose_id)
    stands = choice is not None and choice.in_force and choice.valid_until == one.ends_at
    if log_key is None or not stands or choice is None:
        _forget(connection, one)
        return Step.NOTHING
    if now < one.ends_at:
        return Step.REMIND if _is_first_reminder(connection, one) else Step.NOTHING
    if not _forget(connection, one):
        return Step.NOTHING
    records.append_event(
        connection,
        log_key=log_key,
        resident_id=one.resident_id,
        client_id=one.client_id,
        purpose_id=one.purpose_id,
        event="expired",
        claims_offered=choice.claims_chosen,
        claims_chosen=(),
        notice_hash=choice.notice_hash,
        language=language,
        control="clock",
        authentication={},
        actor="town",
        now=now,
    )
    return Step.EXPIRED


def renewable(
    connection: Executor, resident_id: str, language: str, fallback: str, *, now: int
) -> list[Renewable]:
    """What a resident may agree to once more now: what was reminded of, under words that still mean the same."""
    rows = [_due(row) for row in connection.execute(_OF_RESIDENT, {"resident_id": resident_id})]
    soon = [
        one for one in rows if one.ends_at - records.REMIND_BEFORE <= now or one.looked_at_next == one.ends_at
    ]
    notices = purposes.notices_for(connection, [one.purpose_id for one in soon], language, fallback)
    found = (_renewable(connection, one, notices) for one in soon)
    return [one for one in found if one is not None]


def renew(
    connection: Executor,
    one: Renewable,
    *,
    log_key: bytes,
    resident_id: str,
    language: str,
    authentication: Mapping[str, Any],
    now: int,
) -> None:
    """Agree once more to the same data, for as long as the purpose says now."""
    records.append_event(
        connection,
        log_key=log_key,
        resident_id=resident_id,
        client_id=one.purpose.client_id,
        purpose_id=one.purpose.id,
        event="renewed",
        claims_offered=one.choice.claims_offered,
        claims_chosen=one.choice.claims_chosen,
        notice_hash=one.notice.body_hash,
        language=language,
        control="renew-button",
        authentication=authentication,
        valid_until=rules.valid_until("renewed", one.purpose.valid_for, now=now),
        now=now,
    )


def _renewable(connection: Executor, one: Due, notices: Mapping[str, purposes.Notice]) -> Renewable | None:
    purpose = purposes.find_purpose(connection, one.purpose_id)
    choice = records.current_choice(connection, one.resident_id, one.purpose_id)
    if purpose is None or choice is None or purpose.state != "published" or not choice.in_force:
        return None
    still = set(choice.claims_chosen) <= set(purpose.asked.claims)
    if choice.notice_version < purpose.material_version or choice.valid_until != one.ends_at or not still:
        return None
    return Renewable(purpose, notices[purpose.id], choice, one.ends_at)


def _forget(connection: Executor, one: Due) -> bool:
    statement = delete(_EXPIRING).where(*_same(one))
    return bool(connection.execute(statement).rowcount == 1)


def _is_first_reminder(connection: Executor, one: Due) -> bool:
    statement = (
        update(_EXPIRING)
        .where(
            *_same(one),
            _EXPIRING.c.looked_at_next == one.looked_at_next,
            _EXPIRING.c.looked_at_next < one.ends_at,
        )
        .values(looked_at_next=one.ends_at)
    )
    return bool(connection.execute(statement).rowcount == 1)


def _same(one: Due) -> Sequence[Any]:
    return (
        _EXPIRING.c.resident_id == one.resident_id,
        _EXPIRING.c.purpose_id == one.purpose_id,
        _EXPIRING.c.ends_at == one.ends_at,
    )


def _due(row: Any) -> Due:
    return Due(row.resident_id, row.client_id, row.purpose_id, row.ends_at, row.looked_at_next)
