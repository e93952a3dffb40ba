"""The second factor that a recovery owes: a code of the app, or a recovery code that stands in for it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from idp.accounts.models import Resident
from idp.login import budgets
from idp.login.budgets import Guess
from idp.login.otp import service as otp
from idp.login.otp.rules import normal_code
from idp.login.recovery_codes import service as recovery_codes
from idp.login.recovery_codes.rules import normal_code as normal_recovery_code
from idp.recovery import service

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.recovery.service import Underway
    from idp.web.context import Context


class Tried(Enum):
    """What came of a try."""

    RIGHT = "right"
    WRONG = "wrong"
    THROTTLED = "throttled"


def try_second(ctx: Context, case: Underway, typed: str, *, network: str, now: int) -> Tried:
    """Count the guess in the budget that signing in has, then look at it (K26): nobody gets more tries here."""
    resident_id = case.resident_id or ""
    digits, code = normal_code(typed), normal_recovery_code(typed)
    if digits is None and code is None:
        return Tried.WRONG
    guess = Guess("totp" if digits else "recovery-code", resident_id, resident_id, network)
    if not budgets.spend(ctx, guess, now=now):
        return Tried.THROTTLED
    with ctx.database.transaction() as session:
        if not _is_spent(session, ctx, resident_id, digits, code, now=now):
            return Tried.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        return Tried.RIGHT if service.note_second(session, case, now=now) else Tried.WRONG


def _is_spent(
    session: Session, ctx: Context, resident_id: str, digits: str | None, code: str | None, *, now: int
) -> bool:
    resident = session.get(Resident, resident_id, with_for_update=True)
    if resident is None or resident.data_key is None:
        return False
    if digits:
        data_key = ctx.vault.open_data_key(resident.data_key)
        return otp.spend(session, data_key, resident_id, digits, now=now) is not None
    return recovery_codes.spend(session, ctx.vault, resident_id, code or "", now=now)
