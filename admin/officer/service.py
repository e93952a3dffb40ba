"""Finding one person by an exact name, and what officers call people among themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from typing import TYPE_CHECKING

from admin.opening import open_file_of
from idp.accounts import service as accounts
from idp.login import budgets

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from idp.web.context import Context
    from keys.envelope import Vault

log = logging.getLogger("denizen.officer")

#: Nobody leafs through the town: so many searches an hour for one member of staff, found or not.
PER_OFFICER = budgets.Limit("officer-search", 60, 3600)


def may_search(ctx: Context, staff: StaffMember, *, now: int) -> bool:
    """Count one search, whether or not it will find anybody; False when there were too many."""
    allowed = budgets.take(ctx, (PER_OFFICER, staff.staff_id), now=now).ok
    if not allowed:
        log.warning("search refused, too many staff=%s", staff.staff_id)
    return allowed


def open_file(
    session: Session, vault: Vault, staff: StaffMember, *, unverified_person: str, reason: str, now: int
) -> str | None:
    """Find a person and open their file, as :func:`admin.opening.open_file_of`: its reference, None if there is nobody.

    A search that finds nobody is noted in the service's own log, without what was typed. `reason` is a tidy one. Ask
    `may_search` first.
    """
    resident = accounts.find_resident(session, vault, unverified_person)
    return open_file_of(session, vault, staff, resident, reason=reason, now=now)


def pseudonym(vault: Vault, resident_id: str) -> str:
    """What officers call a resident among themselves: always the same, and it leads nowhere."""
    named = hmac.digest(vault.subkey("officer-pseudonym"), resident_id.encode(), hashlib.sha256)
    letters = base64.b32encode(named[:5]).decode()
    return f"{letters[:4]}-{letters[4:]}"
