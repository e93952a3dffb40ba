"""Opening one resident's file in one session: recorded before anything is shown, read for a while by that session."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from admin.models import OpenFile
from consent import lookups
from idp.accounts import service as accounts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from idp.accounts.models import Resident
    from keys.envelope import Vault

log = logging.getLogger("denizen.officer")

#: A file stays open this long, in seconds; then a new reason is needed.
OPEN_FOR = 1800
#: Files that closed are forgotten after this many seconds; the look-up itself stays in the log.
KEEP_CLOSED_FOR = 86_400


@dataclass(frozen=True, slots=True)
class Opened:
    """A file open in one session, and whether it is so still."""

    resident_id: str
    reason: str
    is_over: bool


def open_file_of(
    session: Session, vault: Vault, staff: StaffMember, resident: Resident | None, *, reason: str, now: int
) -> str | None:
    """Record the look-up with its log entry, and open the file: its reference. None where there is nobody to read of.

    All of it is one transaction of the caller: when the record fails, nothing is opened. The resident reads `reason`.
    """
    log_key = accounts.log_key(vault, resident) if resident else None
    if resident is None or log_key is None:
        log.info("no file to open staff=%s", staff.staff_id)
        return None
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
