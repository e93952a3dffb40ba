"""Staff look-ups: who opened a resident's file, and why. The resident sees every one."""

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select

from consent import log, models
from consent.executor import Executor
from consent.log.sources import STAFF_LOOKUP

_LOOKUP = models.table(models.Lookup)
_COLUMNS = ("staff_id", "staff_role", "resident_id", "reason", "at")
_INSERT = insert(_LOOKUP).values({name: bindparam(name) for name in ("uid", *_COLUMNS)}).inline()
_PAGE = (
    select(_LOOKUP)
    .where(_LOOKUP.c.resident_id == bindparam("resident_id"), _LOOKUP.c.id < bindparam("before_id"))
    .order_by(_LOOKUP.c.id.desc())
    .limit(bindparam("limit"))
)
_OF_STAFF = (
    select(_LOOKUP)
    .where(_LOOKUP.c.staff_id == bindparam("staff_id"), _LOOKUP.c.id < bindparam("before_id"))
    .order_by(_LOOKUP.c.id.desc())
    .limit(bindparam("limit"))
)
NEWEST = 2**63 - 1
"""A ``before_id`` that lies before nothing: the first page."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One look-up as the resident sees it: the role, not the person."""

    id: int
    staff_role: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class OwnLookup:
    """One look-up as the member of staff who made it sees it."""

    id: int
    resident_id: str
    reason: str
    at: int


def record(
    connection: Executor,
    *,
    log_key: bytes,
    staff_id: str,
    staff_role: str,
    resident_id: str,
    reason: str,
    now: int,
) -> None:
    """Record a look-up and its log entry, before anything is shown. ``log_key`` is the resident's.

    Raises ValueError without a reason.
    """
    if not reason.strip():
        raise ValueError("a look-up needs a reason")
    uid = log.new_uid(now)
    values = {
        "staff_id": staff_id,
        "staff_role": staff_role,
        "resident_id": resident_id,
        "reason": reason,
        "at": now,
    }
    connection.execute(_INSERT, {"uid": uid, **values})
    log.append(
        connection,
        kind=STAFF_LOOKUP,
        subject_key=log_key,
        record=values,
        ref=(_LOOKUP.name, uid),
        now=now,
    )


def list_for(
    connection: Executor, resident_id: str, before_id: int = NEWEST, limit: int = 50
) -> list[Lookup]:
    """A page of look-ups, newest first; go on with the last one's ``id`` as ``before_id``."""
    page = {"resident_id": resident_id, "before_id": before_id, "limit": limit}
    return [Lookup(row.id, row.staff_role, row.reason, row.at) for row in connection.execute(_PAGE, page)]


def by_staff(
    connection: Executor, staff_id: str, before_id: int = NEWEST, limit: int = 50
) -> list[OwnLookup]:
    """A page of what one member of staff looked up, newest first."""
    page = {"staff_id": staff_id, "before_id": before_id, "limit": limit}
    return [
        OwnLookup(row.id, row.resident_id, row.reason, row.at) for row in connection.execute(_OF_STAFF, page)
    ]
