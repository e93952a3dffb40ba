"""Sign-in by password: budget, proof, session. One outcome, and every failure looks the same from outside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from idp.accounts.service import find_resident
from idp.login import sessions, throttle
from idp.login.passwords import kept_hash, set_password
from idp.login.rules import device_name, network_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.passwords import Passwords
    from idp.web.context import Context

#: The only level a password proves (identity.md: acr says what was proved in this session, never more).
ACR_BASIC = "basic"


class Failure(Enum):
    """Why nobody was signed in."""

    WRONG = "wrong"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Success:
    """A new session: its cookie value and whose it is."""

    cookie_value: str
    resident_id: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was typed, and from where."""

    unverified_name: str
    unverified_password: str
    source: str
    user_agent: str

    @property
    def name(self) -> str:
        """The typed name as budgets know it."""
        return self.unverified_name.strip().casefold()

    @property
    def network(self) -> str:
        """Where it was typed, as budgets know it."""
        return network_of(self.source)


def sign_in(ctx: Context, passwords: Passwords, attempt: Attempt, *, now: int) -> Success | Failure:
    """Check a password outside any transaction, then begin a session in one.

    The guess is counted and committed before the password is looked at, so that parallel guesses cannot
    share a budget.
    """
    if not ctx.settings.testing.enabled and not _has_budget(ctx, attempt, now=now):
        return Failure.THROTTLED
    with ctx.database.reading() as session:
        resident = find_resident(session, ctx.vault, attempt.unverified_name)
        kept = kept_hash(session, resident.id if resident else "")
    is_right = passwords.is_right(kept, attempt.unverified_password)
    if resident is None or kept is None or not is_right or resident.state != "active":
        return Failure.WRONG
    with ctx.database.transaction() as session:
        _give_back(session, attempt)
        if passwords.is_outdated(kept):
            set_password(session, passwords, resident.id, attempt.unverified_password, now=now)
        cookie_value = sessions.begin(
            session,
            resident.id,
            amr="pwd",
            acr=ACR_BASIC,
            device=device_name(attempt.user_agent),
            settings=ctx.settings.sessions,
            now=now,
        )
    return Success(cookie_value, resident.id)


def _has_budget(ctx: Context, attempt: Attempt, *, now: int) -> bool:
    with ctx.database.transaction() as session:
        has_own = throttle.spend(
            session, throttle.PER_NAME_AND_SOURCE, attempt.name, attempt.network, now=now
        )
        return throttle.spend(session, throttle.PER_SOURCE, attempt.network, now=now) and has_own


def _give_back(session: Session, attempt: Attempt) -> None:
    """Only wrong guesses use up a budget, so a busy town hall does not lock itself out."""
    throttle.refund(session, throttle.PER_NAME_AND_SOURCE, attempt.name, attempt.network)
    throttle.refund(session, throttle.PER_SOURCE, attempt.network)
