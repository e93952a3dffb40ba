"""Rows of what partners were told: begun, told, confirmed, reminded of, closed; each by one conditional write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import orjson
from sqlalchemy import bindparam, func, insert, or_, select, tuple_, update

from consent import acts, models
from consent.canonical import to_text
from consent.withdrawals.rules import Matter, Outcome, may_follow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consent.executor import Executor

_TABLE = models.table(models.Confirmation)
_COLUMNS = tuple(Matter.__dataclass_fields__)
_INSERT = insert(_TABLE).values({name: bindparam(name) for name in _COLUMNS}).inline()
_BY_ID = select(_TABLE).where(_TABLE.c.id == bindparam("matter_id"))
_OF_CLIENT = (
    select(_TABLE)
    .where(_TABLE.c.resident_id == bindparam("resident_id"), _TABLE.c.client_id == bindparam("client_id"))
    .order_by(_TABLE.c.created_at.desc(), _TABLE.c.id)
    .limit(bindparam("limit"))
)
_NEWEST = func.row_number().over(
    partition_by=_TABLE.c.client_id, order_by=(_TABLE.c.created_at.desc(), _TABLE.c.id)
)
_OF_RESIDENT = select(_TABLE, _NEWEST.label("place")).where(_TABLE.c.resident_id == bindparam("resident_id"))
_IS_OPEN = (_TABLE.c.confirmed_at.is_(None), _TABLE.c.closed_at.is_(None))


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """Whose key opens the entries of the log: the resident's, or the service's for one who is erased."""

    log_key: bytes
    is_services: bool = False


class Confirmed(Enum):
    """What became of a confirmation."""

    NEW = "new"
    AGAIN = "again"
    CONTRADICTED = "contradicted"


def begin(
    connection: Executor,
    *,
    matter_id: str,
    resident_id: str,
    client_id: str,
    event: str,
    details: Mapping[str, Any],
    channel: str,
    due_at: int,
    now: int,
) -> None:
    """Note that a partner is to be told, in the transaction of what it is to be told. `details` holds names, no values."""
    values = dict.fromkeys(_COLUMNS) | {
        "id": matter_id,
        "resident_id": resident_id,
        "client_id": client_id,
        "event": event,
        "details": to_text(dict(details)),
        "channel": channel,
        "created_at": now,
        "due_at": due_at,
    }
    connection.execute(_INSERT, values)


def find(connection: Executor, matter_id: str) -> Matter | None:
    """One matter."""
    row = connection.execute(_BY_ID, {"matter_id": matter_id}).first()
    return None if row is None else _matter(row)


def of_client(connection: Executor, resident_id: str, client_id: str, limit: int = 20) -> list[Matter]:
    """What one partner was told about one resident, the latest first."""
    values = {"resident_id": resident_id, "client_id": client_id, "limit": limit}
    return [_matter(row) for row in connection.execute(_OF_CLIENT, values)]


def newest_by_client(connection: Executor, resident_id: str) -> dict[str, Matter]:
    """The last thing that each partner was told about one resident."""
    found = _OF_RESIDENT.subquery()
    rows = connection.execute(select(found).where(found.c.place == 1), {"resident_id": resident_id})
    return {row.client_id: _matter(row) for row in rows}


def awaited(
    connection: Executor, *, now: int, after: tuple[int, str] = (-1, ""), limit: int = 50
) -> list[Matter]:
    """Matters for an officer: due and not confirmed, or nobody to tell; by due date, in pages of a cursor."""
    rows = connection.execute(
        select(_TABLE)
        .where(
            *_IS_OPEN,
            or_(_TABLE.c.due_at <= now, _TABLE.c.channel == "none"),
            tuple_(_TABLE.c.due_at, _TABLE.c.id) > tuple_(*after),
        )
        .order_by(_TABLE.c.due_at, _TABLE.c.id)
        .limit(limit),
        {},
    )
    return [_matter(row) for row in rows]


def count_awaited(connection: Executor, *, now: int) -> int:
    """How many matters wait for an officer."""
    found = select(func.count()).where(*_IS_OPEN, or_(_TABLE.c.due_at <= now, _TABLE.c.channel == "none"))
    return int(connection.execute(found, {}).scalar_one())


def told(connection: Executor, matter: Matter, *, key: SubjectKey, jti: str, now: int) -> bool:
    """The partner has taken what it was told; an act the first time."""
    changed = connection.execute(
        update(_TABLE).where(_TABLE.c.id == matter.id, _TABLE.c.told_at.is_(None)).values(told_at=now), {}
    )
    if changed.rowcount != 1:
        return False
    details = {"txn": matter.id, "jti": jti, "event": matter.event, "channel": matter.channel}
    _record(connection, matter, "partner_told", acts.TOWN, details, key=key, now=now)
    return True


def confirm(
    connection: Executor,
    matter: Matter,
    *,
    outcome: Outcome,
    reason: str,
    key: SubjectKey,
    now: int,
) -> Confirmed:
    """Take a partner's word for what it has done; the first word counts, and a deletion after it.

    `matter` is as it was read. A confirmation proves that the partner was told, too.
    """
    if matter.outcome is not None and not may_follow(matter.outcome, outcome):
        return Confirmed.AGAIN if matter.outcome == outcome else Confirmed.CONTRADICTED
    before = _TABLE.c.outcome.is_(None) if matter.outcome is None else _TABLE.c.outcome == matter.outcome
    changed = connection.execute(
        update(_TABLE)
        .where(_TABLE.c.id == matter.id, before)
        .values(
            outcome=outcome,
            reason=reason.strip() or None,
            confirmed_at=now,
            told_at=func.coalesce(_TABLE.c.told_at, now),
        ),
        {},
    )
    if changed.rowcount != 1:  # somebody was quicker
        later = find(connection, matter.id)
        return Confirmed.AGAIN if later is not None and later.outcome == outcome else Confirmed.CONTRADICTED
    details = {
        "txn": matter.id,
        "event": matter.event,
        "outcome": outcome,
        "late": now > matter.due_at,
        # Not the words: those may be erased with the row, and can still be held against this.
        "reason_hash": hashlib.sha256(reason.strip().encode()).hexdigest() if reason.strip() else "",
    }
    _record(connection, matter, "partner_confirmed", acts.PARTNER, details, key=key, now=now)
    return Confirmed.NEW


def reminded(connection: Executor, matter: Matter, *, staff_id: str, key: SubjectKey, now: int) -> bool:
    """An officer has the partner told again; False when there is nothing to remind of any more."""
    changed = connection.execute(
        update(_TABLE).where(_TABLE.c.id == matter.id, *_IS_OPEN).values(reminded_at=now), {}
    )
    if changed.rowcount != 1:
        return False
    actor = acts.staff(staff_id)
    _record(connection, matter, "partner_reminded", actor, {"txn": matter.id}, key=key, now=now)
    return True


def close(
    connection: Executor,
    matter: Matter,
    *,
    staff_id: str,
    reason: str,
    key: SubjectKey,
    now: int,
) -> bool:
    """An officer has seen to it; False when it is confirmed or closed already."""
    changed = connection.execute(
        update(_TABLE)
        .where(_TABLE.c.id == matter.id, *_IS_OPEN)
        .values(closed_at=now, closed_by=staff_id, closed_reason=reason),
        {},
    )
    if changed.rowcount != 1:
        return False
    details = {"txn": matter.id, "reason_hash": hashlib.sha256(reason.encode()).hexdigest()}
    actor = acts.staff(staff_id)
    _record(connection, matter, "confirmation_closed", actor, details, key=key, now=now)
    return True


def _record(
    connection: Executor,
    matter: Matter,
    kind: str,
    actor: str,
    details: Mapping[str, Any],
    *,
    key: SubjectKey,
    now: int,
) -> None:
    """Whoever is erased has no key any more: then the service's opens it, and the row names nobody."""
    acts.record(
        connection,
        log_key=key.log_key,
        kind=kind,
        actor=actor,
        resident_id=None if key.is_services else matter.resident_id,
        client_id=matter.client_id,
        details=details,
        now=now,
    )


def _matter(row: Any) -> Matter:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Matter(**{**values, "details": cast("dict[str, Any]", orjson.loads(row.details))})
