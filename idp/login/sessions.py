"""Browser sessions: rows of ours, named by a random cookie that changes with every sign-in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from idp.accounts.models import Resident
from idp.login.models import BrowserSession
from idp.login.rules import is_alive
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from idp.settings import SessionSettings

#: `seen_at` is written at most this often, so that use does not mean a write per request.
SEEN_STEP = 60

COLUMNS = (
    BrowserSession.id_hash,
    BrowserSession.sid,
    BrowserSession.resident_id,
    BrowserSession.authenticated_at,
    BrowserSession.acr,
    BrowserSession.amr,
    BrowserSession.seen_at,
    BrowserSession.expires_at,
    BrowserSession.ended_at,
    Resident.state.label("resident_state"),
)
_FIND = (
    select(*COLUMNS)
    .join(Resident, Resident.id == BrowserSession.resident_id)
    .where(BrowserSession.id_hash == bindparam("cookie_hash"))
)
_TOUCH = (
    update(BrowserSession)
    .where(BrowserSession.id_hash == bindparam("cookie_hash"), BrowserSession.ended_at.is_(None))
    .values(seen_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A resident signed in in this browser, as proved."""

    id_hash: bytes
    sid: str
    resident_id: str
    authenticated_at: int
    acr: str
    amr: str


def begin(
    session: Any, resident_id: str, *, amr: str, acr: str, device: str, settings: SessionSettings, now: int
) -> str:
    """Begin a session and return its cookie value, always a new one (K18)."""
    cookie_value = new_secret()
    session.execute(
        insert(BrowserSession).values(
            id_hash=digest(cookie_value),
            sid=secrets.token_urlsafe(16),
            resident_id=resident_id,
            authenticated_at=now,
            acr=acr,
            amr=amr,
            device=device,
            created_at=now,
            seen_at=now,
            expires_at=now + settings.absolute_for,
            ended_at=None,
        )
    )
    return cookie_value


def find(connection: Any, unverified_cookie: str, *, settings: SessionSettings, now: int) -> SignedIn | None:
    """The live session behind a cookie, or None."""
    row = connection.execute(_FIND, {"cookie_hash": digest(unverified_cookie)}).first()
    return None if row is None else as_signed_in(connection, row, settings=settings, now=now)


def as_signed_in(connection: Any, row: Any, *, settings: SessionSettings, now: int) -> SignedIn | None:
    """Judge a row that has `COLUMNS`, and note that the session was used."""
    if row.ended_at is not None or row.resident_state != "active":
        return None
    if not is_alive(seen_at=row.seen_at, expires_at=row.expires_at, idle_for=settings.idle_for, now=now):
        return None
    if now - row.seen_at >= SEEN_STEP:
        connection.execute(_TOUCH, {"cookie_hash": row.id_hash, "at": now})
    return SignedIn(row.id_hash, row.sid, row.resident_id, row.authenticated_at, row.acr, row.amr)


def end(session: Any, id_hash: bytes, *, now: int) -> bool:
    """End one session; False when it had ended already."""
    ended = session.execute(
        update(BrowserSession)
        .where(BrowserSession.id_hash == id_hash, BrowserSession.ended_at.is_(None))
        .values(ended_at=now)
        .returning(BrowserSession.sid)
    ).first()
    return ended is not None


def list_live(session: Any, resident_id: str, *, settings: SessionSettings, now: int) -> list[BrowserSession]:
    """Every live session of a resident, the latest first."""
    rows = session.execute(
        select(BrowserSession)
        .where(
            BrowserSession.resident_id == resident_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.expires_at > now,
            BrowserSession.seen_at > now - settings.idle_for,
        )
        .order_by(BrowserSession.created_at.desc())
        .limit(100)
    ).scalars()
    return list(rows)


def find_by_sid(session: Any, resident_id: str, sid: str) -> BrowserSession | None:
    """A session of this very resident by its public name (K34)."""
    found: BrowserSession | None = session.execute(
        select(BrowserSession).where(BrowserSession.sid == sid, BrowserSession.resident_id == resident_id)
    ).scalar_one_or_none()
    return found
