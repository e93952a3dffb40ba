"""Setting, changing and removing a resident's own password, with all that follows from it."""

from __future__ import annotations

import logging
from enum import Enum
from typing import TYPE_CHECKING

from idp.accounts import contacts
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.login import budgets, changes, passwords, sessions
from idp.login.codes import service as codes
from idp.login.levels import Method, common_root
from idp.login.ports import ports
from idp.web.context import context

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.sessions import SignedIn
    from idp.web.context import Context

log = logging.getLogger("denizen.login")

_KNOWN_OF_THEM = ("given_name", "family_name", "middle_name", "preferred_username", "birthdate")


class Refusal(Enum):
    """Why nothing was changed."""

    TOO_SHORT = "too_short"
    LAST_WAY_IN = "last_way_in"
    NO_PASSWORD = "no_password"  # noqa: S105 - a name


def change(writing: Session, owner: SignedIn, encoded: str, *, is_short: bool, now: int) -> Refusal | None:
    """Keep a password that was hashed before; a short one only beside a second factor, asked anew here.

    Raises:
        LookupError: when the account is not active any more.
    """
    resident, _ = changes.locked(writing, owner)
    if is_short and not ports().ways.of(writing, resident.id).owed:
        return Refusal.TOO_SHORT
    rests_on = common_root(sessions.proofs_of(writing, owner.sid))
    passwords.keep_hash(writing, resident.id, encoded, is_short=is_short, rests_on=rests_on, now=now)
    budgets.restore(writing, context().vault, "password", resident.id)
    ports().call_off(writing, resident.id, now)
    changes.follow(writing, owner, resident, "password_changed")
    log.info("password changed")
    return None


def remove(writing: Session, owner: SignedIn) -> Refusal | None:
    """Forget the password, unless nothing else would open the account.

    Raises:
        LookupError: when the account is not active any more.
    """
    resident, _ = changes.locked(writing, owner)
    found = ports().ways.of(writing, resident.id)
    if not found.alone - {Method.PASSWORD}:
        return Refusal.LAST_WAY_IN
    if not passwords.remove_password(writing, resident.id):
        return Refusal.NO_PASSWORD
    # Without a password, codes open an account whose resident never chose; this one knew them as a second step.
    codes.keep_after(writing, resident.id, found.enrolled - found.alone, now=context().now())
    ports().call_off(writing, resident.id, context().now())
    changes.follow(writing, owner, resident, "password_removed")
    log.info("password removed")
    return None


def words_about(session: Session, ctx: Context, resident_id: str) -> list[str]:
    """What others know of a resident, and must not be their password."""
    resident = session.get(Resident, resident_id)
    if resident is None:
        return []
    known = accounts.read_attributes(session, ctx.vault, resident)
    words = [str(known[name]) for name in _KNOWN_OF_THEM if name in known]
    reached = contacts.of_resident(session, ctx.vault, resident)
    addresses = [one.value for one in reached if one.kind == "email"]
    return [*words, *(part for one in addresses for part in one.partition("@")[::2])]
