"""A person's file that is open in this session, for the pages of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import abort

from admin.officer.service import pseudonym
from admin.opening import find_file
from consent.audit import search
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.web.context import context

if TYPE_CHECKING:
    from admin.staff.sessions import StaffMember
    from consent.audit.search import Found


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Whose file, what officers call them, and why it was opened."""

    resident_id: str
    pseudonym: str
    reason: str


def opened(session: Any, staff: StaffMember, reference: str) -> OpenFile | None:
    """The file of this address; None once it has closed; 404 for one that this session never opened (K34)."""
    ctx = context()
    found = find_file(session, staff, reference, now=ctx.now())
    if found is None:
        abort(404)
    if found.is_over:
        return None
    return OpenFile(found.resident_id, pseudonym(ctx.vault, found.resident_id), found.reason)


def record_of(session: Any, file: OpenFile, record_id: int | None) -> Found:
    """A record of this person; 404 for any other."""
    found = None if record_id is None else search.by_id(session, record_id)
    if found is None or found.resident_id != file.resident_id:
        abort(404)
    return found


def log_key_of(session: Any, resident_id: str) -> bytes | None:
    """The key that opens what the log says of a person; None once they are erased."""
    resident = session.get(Resident, resident_id)
    return accounts.log_key(context().vault, resident) if resident else None
