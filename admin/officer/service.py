"""Opening one resident's file: found by an exact name, recorded before anything is shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from admin.models import OpenFile
from consent import lookups
from idp.accounts import service as accounts
from idp.login import budgets

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from idp.accounts.models import Resident
    from idp.web.context import Context
    from keys.envelope import Vault

log = logging.getLogger("denizen.officer")

#: A file stays open this long, in seconds; then a new reason is needed.
OPEN_FOR = 1800
#: Files that closed are forgotten after this many seconds; the look-up itself stays in the log.
KEEP_CLOSED_FOR = 86_400
#: Nobody leafs through the town: so many searches an hour for one member of staff, found or not.
PER_OFFICER = budgets.Limit("officer-search", 60, 3600)


class NotOpened(Enum):
    """Why no file was opened."""

    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file open in one session, and whether it is so still."""

    resident_id: str
    reason: str
    is_over: bool


def may_search(ctx: Context, staff: StaffMember, *, now: int) -> bool:
    """Count one search, whether or not it will find anybody; False when there were too many."""
    allowed = budgets.take(ctx, (PER_OFFICER, staff.staff_id), now=now).ok
    if not allowed:
        log.warning("search refused, too many staff=%s", staff.staff_id)
    return allowed


def open_file(
    session: Session, vault: Vault, staff: StaffMember, *, unverified_person: str, reason: str, now: int
) -> str | NotOpened:
    """Find a person, record the look-up with its log entry, and open the file: its reference.

    All of it is one transaction of the caller: when the record fails, nothing is opened. A search that finds
    nobody is noted in the service's own log, without what was typed. `reason` is a tidy one. Ask `may_search` first.
    """
    resident = accounts.find_resident(session, vault, unverified_person)
    return open_file_of(session, vault, staff, resident, reason=reason, now=now)


def open_file_of(
    session: Session, vault: Vault, staff: StaffMember, resident: Resident | None, *, reason: str, now: int
) -> str | NotOpened:
    """As `open_file`, for a person who was found by something else than a name, such as a record."""
    log_key = accounts.log_key(vault, resident) if resident else None
    if resident is None or log_key is None:
        log.info("search found nobody staff=%s", staff.staff_id)
        return NotOpened.NOBODY
    lookups.record(
        session,
        log_key=log_key,
        staff_id=staff.staff_id,
        staff_role=staff.role,
        resident_id=resident.id,
        reason=reason,
        now=now,
    )
    session.execute(delete(OpenFile).where(OpenFile.expires_at < now - KEEP_CLOSED_FOR))
    opened = OpenFile(
        reference=secrets.token_urlsafe(16),
        session_hash=staff.id_hash,
        resident_id=resident.id,
        reason=reason,
        opened_at=now,
        expires_at=now + OPEN_FOR,
    )
    session.add(opened)
    log.info("file opened staff=%s", staff.staff_id)
    return opened.reference


def find_file(session: Session, staff: StaffMember, unverified_reference: str, *, now: int) -> Opened | None:
    """The file that this very session opened under a reference; None for anybody else's (K34)."""
    row = session.execute(
        select(OpenFile).where(
            OpenFile.reference == unverified_reference, OpenFile.session_hash == staff.id_hash
        )
    ).scalar_one_or_none()
    return None if row is None else Opened(row.resident_id, row.reason, now >= row.expires_at)


def pseudonym(vault: Vault, resident_id: str) -> str:
    """What officers call a resident among themselves: always the same, and it leads nowhere."""
    named = hmac.digest(vault.subkey("officer-pseudonym"), resident_id.encode(), hashlib.sha256)
    letters = base64.b32encode(named[:5]).decode()
    return f"{letters[:4]}-{letters[4:]}"
