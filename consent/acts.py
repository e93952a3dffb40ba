"""What is done in the town besides consenting and releasing: to accounts, clients, keys, and with the data.

Each act is a row that nobody can change and an entry of the log, written in the transaction of the thing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import bindparam, insert, select

from consent import log, models
from consent.canonical import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consent.executor import Executor

SELF: Final = "self"
PARTNER: Final = "partner"
"""The actor of what a partner says that it has done; ``client_id`` says which one."""
TOWN: Final = "town"
"""The actor of what the software does by itself: keys that turn, accounts that end."""
NEWEST: Final = 2**63 - 1
"""A ``before_id`` that lies before nothing: the first page."""

_ACT = models.table(models.Act)
_COLUMNS = ("kind", "actor", "resident_id", "client_id", "details", "at")
_INSERT = insert(_ACT).values({name: bindparam(name) for name in ("uid", *_COLUMNS)}).inline()
_NEWEST_FIRST = (
    select(_ACT)
    .where(_ACT.c.id < bindparam("before_id"))
    .order_by(_ACT.c.id.desc())
    .limit(bindparam("limit"))
)
_OF_RESIDENT = _NEWEST_FIRST.where(_ACT.c.resident_id == bindparam("resident_id"))
_BY_ACTOR = _NEWEST_FIRST.where(_ACT.c.actor == bindparam("actor"))
_OF_KIND = _NEWEST_FIRST.where(_ACT.c.kind == bindparam("kind"))


@dataclass(frozen=True, slots=True)
class Act:
    """One act; ``details`` as they were recorded."""

    id: int
    kind: str
    actor: str
    resident_id: str | None
    client_id: str | None
    details: Mapping[str, Any]
    at: int


def staff(staff_id: str) -> str:
    """The actor of what a member of staff does."""
    return f"staff:{staff_id}"


def record(
    connection: Executor,
    *,
    log_key: bytes,
    kind: str,
    actor: str,
    now: int,
    resident_id: str | None = None,
    client_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> bytes:
    """Record an act and its log entry; the 16-byte uid of the act.

    ``kind`` is lower-case letters and underscores; ``actor`` is :data:`SELF`, :data:`PARTNER`, :data:`TOWN` or :func:`staff`.
    ``log_key`` is the resident's where one is concerned, else the service's. ``details`` is plain JSON without
    personal data: it is neither encrypted nor erased.
    """
    uid = log.new_uid(now)
    values = {
        "kind": kind,
        "actor": actor,
        "resident_id": resident_id,
        "client_id": client_id,
        "details": to_text(dict(details or {})),
        "at": now,
    }
    connection.execute(_INSERT, {"uid": uid, **values})
    log.append(connection, kind=kind, subject_key=log_key, record=values, ref=(_ACT.name, uid), now=now)
    return uid


def about(connection: Executor, resident_id: str, before_id: int = NEWEST, limit: int = 50) -> list[Act]:
    """A page of acts that concern a resident, newest first; go on with the last ``id`` as ``before_id``."""
    page = {"resident_id": resident_id, "before_id": before_id, "limit": limit}
    return [_act(row) for row in connection.execute(_OF_RESIDENT, page)]


def of_kind(connection: Executor, kind: str, before_id: int = NEWEST, limit: int = 50) -> list[Act]:
    """A page of acts of one kind, newest first."""
    page = {"kind": kind, "before_id": before_id, "limit": limit}
    return [_act(row) for row in connection.execute(_OF_KIND, page)]


def by_actor(connection: Executor, actor: str, before_id: int = NEWEST, limit: int = 50) -> list[Act]:
    """A page of what one actor did, newest first."""
    page = {"actor": actor, "before_id": before_id, "limit": limit}
    return [_act(row) for row in connection.execute(_BY_ACTOR, page)]


def _act(row: Any) -> Act:
    return Act(row.id, row.kind, row.actor, row.resident_id, row.client_id, orjson.loads(row.details), row.at)
