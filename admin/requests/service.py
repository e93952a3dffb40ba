"""Opening one request: with the file of the resident who made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admin.opening import find_file, open_file_of
from idp.rights import queue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from keys.envelope import Vault


def open_request(
    session: Session, vault: Vault, staff: StaffMember, request_id: str, reason: str, *, now: int
) -> str | None:
    """Record the look-up and open a request in this session: its reference. None when there is nothing to be read.

    All of it is one transaction of the caller: when the record fails, nothing is opened.
    """
    return open_file_of(session, vault, staff, queue.whose(session, request_id), reason=reason, now=now)


def is_open(
    session: Session, staff: StaffMember, request_id: str, unverified_reference: str, *, now: int
) -> bool:
    """Whether this very session opened this request's file, and it has not closed since (K34)."""
    resident = queue.whose(session, request_id)
    found = find_file(session, staff, unverified_reference, now=now)
    return (
        resident is not None and found is not None and found.resident_id == resident.id and not found.is_over
    )
