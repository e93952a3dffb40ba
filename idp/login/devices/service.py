"""Knowing a device again, and forgetting it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, case, delete, insert, select, update

from idp.login.devices.models import KnownDevice
from idp.statements import prepared, quiet
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

#: A device is forgotten this long after the last sign-in there, in seconds.
KEEP_FOR = 180 * 86_400
#: Browsers that keep no cookies are new at every sign-in: of a resident's devices only the latest are kept.
MOST = 30


def known_to(whose: Any) -> Select[str]:
    """The name of the device where `whose` signed in before; given what `asked_of` says, alone or inside a statement."""
    return select(KnownDevice.id).where(
        KnownDevice.device_hash == bindparam("cookie_hash"),
        KnownDevice.resident_id == whose,
        KnownDevice.expires_at > bindparam("at"),
    )


_KNOWN = prepared(known_to(bindparam("whose")))
_ANYBODY = prepared(
    select(KnownDevice.resident_id)
    .where(KnownDevice.device_hash == bindparam("cookie_hash"), KnownDevice.expires_at > bindparam("at"))
    .order_by(KnownDevice.resident_id)
    .limit(1)
)
_IS_THEIRS = KnownDevice.resident_id == bindparam("whose")
#: One write gives the device its new name for all its residents, and renews it for the one who signs in.
_RENEW = prepared(
    update(KnownDevice)
    .where(KnownDevice.device_hash == bindparam("cookie_hash"), KnownDevice.expires_at > bindparam("at"))
    .values(
        device_hash=bindparam("new_hash"),
        seen_at=case((_IS_THEIRS, bindparam("at")), else_=KnownDevice.seen_at),
        expires_at=case((_IS_THEIRS, bindparam("until")), else_=KnownDevice.expires_at),
        label=case((_IS_THEIRS, bindparam("called")), else_=KnownDevice.label),
    )
    .returning(KnownDevice.resident_id)
)
_ADD = quiet(prepared(insert(KnownDevice)))
_SURPLUS = quiet(
    prepared(
        delete(KnownDevice).where(
            KnownDevice.id.in_(
                select(KnownDevice.id)
                .where(_IS_THEIRS)
                .order_by(KnownDevice.seen_at.desc(), KnownDevice.id)
                .offset(bindparam("most"))
            )
        )
    )
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the browser keeps from now on, and whether the resident had never signed in there."""

    cookie_value: str
    is_new: bool


def known(connection: Any, unverified_cookie: str | None, resident_id: str | None, *, now: int) -> str | None:
    """The name of the device, when this resident signed in there before; the same work when nobody did (K23)."""
    return known_by_hash(connection, digest(unverified_cookie or ""), resident_id, now=now)


def known_by_hash(connection: Any, cookie_hash: bytes, resident_id: str | None, *, now: int) -> str | None:
    """The same for a job, which has no more than the hash of the cookie."""
    asked = {"whose": resident_id or "", "cookie_hash": cookie_hash, "at": now}
    found = connection.execute(_KNOWN, asked).first()
    return None if found is None else str(found.id)


def anybody(connection: Any, unverified_cookie: str | None, *, now: int) -> str | None:
    """One resident who signed in here before, always the same; None where nobody did."""
    found = connection.execute(_ANYBODY, asked_of(unverified_cookie, now=now)).first()
    return None if found is None else found.resident_id


def asked_of(unverified_cookie: str | None, *, now: int) -> dict[str, Any]:
    """The values for `known_to`."""
    return {"cookie_hash": digest(unverified_cookie or ""), "at": now}


def remember(
    session: Session, unverified_cookie: str | None, resident_id: str, *, label: str, now: int
) -> Remembered:
    """Know this device again; part of the transaction that begins a session.

    The cookie gets a new value every time, for all residents of the device: a value that somebody planted or
    copied is worth nothing after the next sign-in.
    """
    fresh = new_secret()
    held = {"whose": resident_id, "at": now, "until": now + KEEP_FOR, "called": label}
    if unverified_cookie and len(unverified_cookie) == VALUE_LENGTH:
        renamed = {"cookie_hash": digest(unverified_cookie), "new_hash": digest(fresh), **held}
        if resident_id in {row.resident_id for row in session.execute(_RENEW, renamed).all()}:
            return Remembered(fresh, is_new=False)
    _add(session, digest(fresh), resident_id, label=label, now=now)
    return Remembered(fresh, is_new=True)


def _add(session: Session, device_hash: bytes, resident_id: str, *, label: str, now: int) -> None:
    """Keep a new device, and forget the oldest of too many."""
    device = {
        "device_hash": device_hash,
        "resident_id": resident_id,
        "id": secrets.token_urlsafe(16),
        "label": label,
        "created_at": now,
        "seen_at": now,
        "expires_at": now + KEEP_FOR,
    }
    session.execute(_ADD, device)
    session.execute(_SURPLUS, {"whose": resident_id, "most": MOST})


def listed(session: Session, resident_id: str, *, now: int) -> list[KnownDevice]:
    """Every device of a resident, the latest first."""
    found = (
        select(KnownDevice)
        .where(KnownDevice.resident_id == resident_id, KnownDevice.expires_at > now)
        .order_by(KnownDevice.seen_at.desc(), KnownDevice.id)
    )
    return list(session.execute(found).scalars())


def forget(session: Session, resident_id: str, device_id: str) -> bool:
    """Forget one device of this very resident (K34); False when it is not theirs."""
    gone = session.execute(
        delete(KnownDevice)
        .where(KnownDevice.id == device_id, KnownDevice.resident_id == resident_id)
        .returning(KnownDevice.id)
    ).first()
    return gone is not None


def forget_all(session: Session, resident_id: str) -> None:
    """Forget every device of a resident: after a recovery, a freeze, or when they say so."""
    session.execute(
        delete(KnownDevice).where(KnownDevice.resident_id == resident_id),
        execution_options={"synchronize_session": False},
    )
