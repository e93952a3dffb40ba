"""A resident's apps that show codes: added with a first code, used once per time step, named and removed."""

from __future__ import annotations

import base64
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, select, update

from idp.login.levels import Method
from idp.login.otp.models import AuthenticatorApp
from idp.login.otp.rules import steps_of
from idp.login.ways import RESIDENT, Way

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from keys.envelope import DataKey

log = logging.getLogger("denizen.login")

#: More than anybody needs.
LIMIT = 5
#: How long the first code is waited for, in seconds.
PENDING_FOR = 900
_SECRET_BYTES = 20  # 160 bits, as RFC 4226 §4 R6 recommends

_HAS = exists().where(AuthenticatorApp.resident_id == RESIDENT, AuthenticatorApp.pending_until.is_(None))
WAY = Way(Method.TOTP, "/login/totp", has=_HAS, owed=_HAS)

#: Compared and set at once: of two equal codes one goes on, and no older one ever does (K25).
_SPEND = (
    update(AuthenticatorApp)
    .where(
        AuthenticatorApp.id == bindparam("app_id"),
        AuthenticatorApp.pending_until.is_(None),
        AuthenticatorApp.last_step < bindparam("step"),
    )
    .values(last_step=bindparam("step"), used_at=bindparam("at"))
    .returning(AuthenticatorApp.id)
    .execution_options(synchronize_session=False)
)
_CONFIRM = (
    update(AuthenticatorApp)
    .where(
        AuthenticatorApp.id == bindparam("app_id"),
        AuthenticatorApp.pending_until > bindparam("at"),
        AuthenticatorApp.created_at <= bindparam("at"),
    )
    .values(last_step=bindparam("step"), pending_until=None)
    .returning(AuthenticatorApp.id)
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True, slots=True)
class App:
    """An app as its resident sees it."""

    id: str
    name: str
    created_at: int
    used_at: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Pending:
    """An app whose first code is waited for. `secret` is Base32."""

    id: str
    name: str
    secret: str


def begin(session: Session, data_key: DataKey, resident_id: str, name: str, *, now: int) -> str | None:
    """Make a secret for a new app and return its id; None when there are too many. Only the latest one begun counts."""
    mine = AuthenticatorApp.resident_id == resident_id
    session.execute(delete(AuthenticatorApp).where(mine, AuthenticatorApp.pending_until.is_not(None)))
    if len(_rows(session, resident_id)) >= LIMIT:
        return None
    app_id = secrets.token_urlsafe(16)
    secret = base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    session.add(
        AuthenticatorApp(
            id=app_id,
            resident_id=resident_id,
            secret=data_key.seal(secret, _context(app_id, "secret")),
            name=data_key.seal(name, _context(app_id, "name")),
            last_step=0,
            created_at=now,
            pending_until=now + PENDING_FOR,
            used_at=None,
        )
    )
    session.flush()
    return app_id


def pending(
    session: Session, data_key: DataKey, resident_id: str, app_id: str, *, now: int
) -> Pending | None:
    """The app of this very resident that waits for its first code."""
    row = session.get(AuthenticatorApp, app_id)
    if row is None or row.resident_id != resident_id:
        return None
    if row.pending_until is None or not row.created_at <= now < row.pending_until:
        return None
    return Pending(
        row.id,
        data_key.open(row.name, _context(app_id, "name")),
        data_key.open(row.secret, _context(app_id, "secret")),
    )


def confirm(session: Session, waiting: Pending, code: str, *, now: int) -> bool:
    """Take the app into use with its first code, which is spent by it."""
    for step in steps_of(waiting.secret, code, now=now):
        found = session.execute(_CONFIRM, {"app_id": waiting.id, "step": step, "at": now}).first()
        if found is not None:
            log.info("app for codes added app=%s", waiting.id)
            return True
    return False


def spend(session: Any, data_key: DataKey, resident_id: str, code: str, *, now: int) -> str | None:
    """Spend a code of any of the resident's apps by one conditional write; the app's id, or None."""
    for row in _rows(session, resident_id):
        secret = data_key.open(row.secret, _context(row.id, "secret"))
        for step in steps_of(secret, code, now=now):
            if session.execute(_SPEND, {"app_id": row.id, "step": step, "at": now}).first() is not None:
                return str(row.id)
            log.info("code of an app used again app=%s", row.id)
    return None


def listed(session: Session, data_key: DataKey, resident_id: str) -> list[App]:
    """Every app in use, the oldest first."""
    return [
        App(row.id, data_key.open(row.name, _context(row.id, "name")), row.created_at, row.used_at)
        for row in _rows(session, resident_id)
    ]


def rename(session: Session, data_key: DataKey, resident_id: str, app_id: str, name: str) -> bool:
    """Give an app of this resident another name; False when it is not theirs."""
    renamed = session.execute(
        update(AuthenticatorApp)
        .where(*_own(resident_id, app_id))
        .values(name=data_key.seal(name, _context(app_id, "name")))
        .returning(AuthenticatorApp.id)
    ).first()
    return renamed is not None


def remove(session: Session, resident_id: str, app_id: str) -> bool:
    """Remove an app of this resident; False when it is not theirs."""
    removed = session.execute(
        delete(AuthenticatorApp).where(*_own(resident_id, app_id)).returning(AuthenticatorApp.id)
    ).first()
    if removed is not None:
        log.info("app for codes removed app=%s", app_id)
    return removed is not None


def remove_all(session: Session, resident_id: str) -> None:
    """Remove every app of a resident, as a recovery does."""
    session.execute(delete(AuthenticatorApp).where(AuthenticatorApp.resident_id == resident_id))


def _own(resident_id: str, app_id: str) -> tuple[Any, ...]:
    return (
        AuthenticatorApp.id == app_id,
        AuthenticatorApp.resident_id == resident_id,
        AuthenticatorApp.pending_until.is_(None),
    )


def _rows(session: Session, resident_id: str) -> list[Any]:
    found = select(
        AuthenticatorApp.id,
        AuthenticatorApp.secret,
        AuthenticatorApp.name,
        AuthenticatorApp.created_at,
        AuthenticatorApp.used_at,
    ).where(AuthenticatorApp.resident_id == resident_id, AuthenticatorApp.pending_until.is_(None))
    return list(session.execute(found.order_by(AuthenticatorApp.created_at, AuthenticatorApp.id)).all())


def _context(app_id: str, field: str) -> str:
    return f"totp|{app_id}|{field}"
