"""Opening one request: the look-up is recorded before anything of it is shown."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from admin.models import OpenFile
from consent import lookups
from idp.accounts import service as accounts
from idp.rights import queue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from keys.envelope import Vault

log = logging.getLogger("denizen.requests")

#: A request stays open this long, in seconds; then it is opened, and recorded, anew.
OPEN_FOR = 1800


def open_request(
    session: Session, vault: Vault, staff: StaffMember, request_id: str, reason: str, *, now: int
) -> str | None:
    """Record the look-up and open a request in this session: its reference. None when there is nothing to be read.

    All of it is one transaction of the caller: when the record fails, nothing is opened.
    """
    resident = queue.whose(session, request_id)
    log_key = accounts.log_key(vault, resident) if resident else None
    if resident is None or log_key is None:
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
    opened = OpenFile(
        reference=secrets.token_urlsafe(16),
        session_hash=staff.id_hash,
        resident_id=resident.id,
        reason=reason,
        opened_at=now,
        expires_at=now + OPEN_FOR,
    )
    session.add(opened)
    log.info("request opened staff=%s", staff.staff_id)
    return opened.reference


def is_open(
    session: Session, staff: StaffMember, request_id: str, unverified_reference: str, *, now: int
) -> bool:
    """Whether this very session opened this request's file, and it has not closed since (K34)."""
    resident = queue.whose(session, request_id)
    if resident is None or not unverified_reference:
        return False
    found = select(OpenFile.reference).where(
        OpenFile.reference == unverified_reference,
        OpenFile.session_hash == staff.id_hash,
        OpenFile.resident_id == resident.id,
        OpenFile.expires_at > now,
    )
    return session.execute(found).first() is not None
