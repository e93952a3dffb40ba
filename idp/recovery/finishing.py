"""The end of a recovery: a new password, and the death of everything that was named as lost."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from idp.accounts.models import Resident
from idp.accounts.service import log_event
from idp.login import budgets
from idp.login.codes import service as codes
from idp.login.devices import forget_all
from idp.login.levels import Method
from idp.login.passwords import keep_hash
from idp.messaging.service import tell
from idp.recovery.ending import credentials_changed
from idp.recovery.erase import TABLES, tables_of
from idp.recovery.models import Case, Helper
from idp.recovery.rules import Proof, Second, is_enough, not_proved, owes_second, rests_on, would_do

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from idp.login.ways import Found, Ways
    from idp.recovery.service import Underway
    from idp.web.context import Context

log = logging.getLogger("denizen.recovery")

#: Ways in that a resident may keep through a recovery, if they say that they still have them. The password is
#: always replaced; messages go to contact points, which have their own pages, but whoever did not prove one is neither
#: asked for a code that goes there nor let in by it.
KEEPABLE = tuple(TABLES)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a recovery stands: the ways in that the account has, and whether a new password may be set."""

    found: Found
    is_enough: bool
    owes_second: bool
    proved: frozenset[Proof]
    would_do: tuple[str, ...]

    @property
    def keepable(self) -> tuple[Method, ...]:
        """What the resident may say that they still have.

        Second factors that were not proved now are lost by what was proved instead of them.
        """
        lost = self.found.owed if Proof.SECOND not in self.proved else frozenset()
        dead = {*lost, Method.RECOVERY_CODE} if lost else set()
        return tuple(one for one in KEEPABLE if one in self.found.enrolled and one not in dead)


def standing(session: Session, ways: Ways, case: Underway, *, now: int) -> Standing:
    """Recompute from rows where a recovery stands (K27)."""
    found = ways.of(session, case.resident_id or "")
    proved = case.proved.now(now)
    if Proof.HELPER in proved and not _is_trusted(session, case):
        proved -= {Proof.HELPER}
    second = _second_of(found)
    return Standing(
        found, is_enough(proved, second), owes_second(proved, second), proved, would_do(proved, second)
    )


def _is_trusted(session: Session, case: Underway) -> bool:
    """Whether who gave their word may still: not once that trust has ended, or their account is frozen."""
    found = (
        select(Helper.id)
        .join(Resident, Resident.id == Helper.helper_id)
        .where(
            Helper.resident_id == case.resident_id,
            Helper.helper_id == case.helper_id,
            Helper.state == "accepted",
            Resident.state == "active",
        )
    )
    return session.execute(found).first() is not None


def _second_of(found: Found) -> Second:
    if not found.owed:
        return Second.NONE
    return Second.MESSAGE if found.owed <= {Method.EMAIL_CODE, Method.SMS_CODE} else Second.OTHER


def finish(
    session: Session,
    ctx: Context,
    ways: Ways,
    case: Underway,
    *,
    encoded: str,
    keep: Collection[str],
    now: int,
) -> bool:
    """Give the resident a new password (hashed before; long enough to stand alone) and let everything end that is not kept; False when it is too late or too little.

    The resident stays the same, so every service knows them by the same `sub`. A frozen account thaws.
    """
    # Whoever signs in now does it before all of this, and is signed out; or after it, with what is left.
    resident = session.get_one(Resident, case.resident_id, with_for_update=True)
    stands = standing(session, ways, case, now=now)
    if not stands.is_enough or not _end(session, case, now=now):
        return False
    for method in KEEPABLE:
        if method in stands.found.enrolled and not (method in stands.keepable and method.value in keep):
            _forget(session, method, resident.id)
    codes.remove_choices(session, resident.id, not_proved(stands.proved))
    keep_hash(session, resident.id, encoded, is_short=False, rests_on=rests_on(stands.proved), now=now)
    budgets.restore(session, ctx.vault, "password", resident.id)
    resident.state = "active" if resident.state == "frozen" else resident.state
    credentials_changed(session, resident.id, keep_session=None, now=now)
    forget_all(session, resident.id)
    how = " ".join(sorted(proof.value for proof in stands.proved))
    log_event(session, ctx.vault, resident, "account_recovered", proofs=how, now=now)
    link = f"{ctx.settings.server.issuer}/account"
    tell(session, ctx.vault, resident, "account_recovered", {"link": link}, now=now)
    log.info("account recovered proofs=%s", how)
    return True


def _end(session: Session, case: Underway, *, now: int) -> bool:
    """End the case by one conditional write: of two tabs, one sets the password."""
    recoverable = select(Resident.id).where(
        Resident.id == case.resident_id, Resident.state != "closed", Resident.data_key.is_not(None)
    )
    ended = session.execute(
        update(Case)
        .where(Case.id == case.id, Case.state == "open", Case.expires_at > now)
        .where(Case.resident_id.in_(recoverable))
        .values(state="done", ended_at=now)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    return ended is not None


def _forget(session: Session, method: Method, resident_id: str) -> None:
    for table in tables_of(method):
        session.execute(delete(table).where(table.c.resident_id == resident_id))
