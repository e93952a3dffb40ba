"""Sessions of staff: rows of ours, read again with every request, so that a lost role is lost at once (K35)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select

from admin.models import Staff, StaffSession
from idp.login.keeping import Keeping
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from idp.settings import SessionSettings

#: Rows of sessions that ended are kept this long, in seconds.
KEEP_ENDED_FOR = 7 * 86_400

_FIND = (
    select(
        StaffSession.id_hash,
        StaffSession.seen_at,
        StaffSession.expires_at,
        StaffSession.ended_at,
        Staff.id.label("staff_id"),
        Staff.username,
        Staff.role,
        Staff.disabled_at,
    )
    .join(Staff, Staff.id == StaffSession.staff_id)
    .where(StaffSession.id_hash == bindparam("cookie_hash"))
)
_KEEPING = Keeping(StaffSession)


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Who is signed in, in which session, with the role they have at this moment."""

    id_hash: bytes
    staff_id: str
    username: str
    role: str


def begin(session: Any, staff_id: str, *, settings: SessionSettings, now: int) -> str:
    """Begin a session and return its cookie value, always a new one (K18). Rows long over are cleared away."""
    session.execute(delete(StaffSession).where(StaffSession.expires_at < now - KEEP_ENDED_FOR))
    cookie_value = new_secret()
    session.execute(
        insert(StaffSession).values(
            id_hash=digest(cookie_value),
            staff_id=staff_id,
            created_at=now,
            seen_at=now,
            expires_at=now + settings.staff_absolute_for,
            ended_at=None,
        )
    )
    return cookie_value


def find(
    connection: Any, unverified_cookie: str, *, settings: SessionSettings, now: int
) -> StaffMember | None:
    """The member of staff behind a cookie, or None; notes that the session was used."""
    row = connection.execute(_FIND, {"cookie_hash": digest(unverified_cookie)}).first()
    if row is None or row.disabled_at is not None:
        return None
    if not _KEEPING.is_live(connection, row, idle_for=settings.staff_idle_for, now=now):
        return None
    return StaffMember(row.id_hash, row.staff_id, row.username, row.role)


def end(session: Any, id_hash: bytes, *, now: int) -> None:
    """End one session."""
    _KEEPING.end(session, StaffSession.id_hash == id_hash, now=now)


def end_all(session: Any, staff_id: str, *, now: int) -> None:
    """End every session of a member of staff."""
    _KEEPING.end(session, StaffSession.staff_id == staff_id, now=now)
