"""Sign-in by password: budget, proof, what it leads to. Every failure looks the same from outside."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from idp.accounts.contacts import counted_name
from idp.accounts.models import Resident
from idp.accounts.service import NAMED, asked_by_name
from idp.login import budgets, devices
from idp.login.levels import Method, typical
from idp.login.models import Password
from idp.login.passwords import keep_hash
from idp.login.settling import Failure
from idp.login.ways import RESIDENT, Way
from idp.statements import prepared

if TYPE_CHECKING:
    from idp.login.attempts import Attempt
    from idp.login.budgets import Guess
    from idp.login.passwords import Passwords
    from idp.login.settling import Goal, Outcome, Settler
    from idp.web.context import Context

log = logging.getLogger("denizen.login")

_HAS = exists().where(Password.resident_id == RESIDENT)
WAY = Way(Method.PASSWORD, "/login", has=_HAS, alone=_HAS)
#: Whose password is to be checked, and whether they know the visitor's device.
_FIND = prepared(
    select(
        Resident.id,
        Resident.state,
        select(Password.hash).where(Password.resident_id == Resident.id).scalar_subquery().label("hash"),
        devices.known_to(Resident.id).scalar_subquery().label("device"),
    ).where(Resident.id == NAMED)
)
_HASH = prepared(select(Password.hash, Password.rests_on).where(Password.resident_id == RESIDENT))


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed."""

    unverified_name: str
    unverified_password: str


def sign_in(
    passwords: Passwords, typed: Typed, settler: Settler, goal: Goal, attempt: Attempt | None
) -> Outcome:
    """Check a password outside any transaction, then note the proof and what it leads to in one.

    The guess is counted and committed before the password is looked at, so that parallel guesses cannot
    share a budget. Without an `attempt` the sign-in begins here.

    Raises:
        idp.login.admission.Busy: when too many passwords are being checked; nothing was counted then.
    """
    # Twice: another sign-in may have hashed the same password anew; another password this one is not.
    for _ in range(2):
        try:
            return _sign_in(passwords, typed, settler, goal, attempt)
        except _Changed:
            log.info("password changed while it was checked")
    return Failure.WRONG


class _Changed(Exception):
    """The kept hash is no longer the one that was checked."""


def _sign_in(
    passwords: Passwords, typed: Typed, settler: Settler, goal: Goal, attempt: Attempt | None
) -> Outcome:
    ctx = settler.ctx
    with passwords.admission.place():
        found = _find(ctx, typed, settler)
        if not budgets.spend(ctx, found.guess, now=settler.now):
            return Failure.THROTTLED
        is_right = passwords.is_right(found.kept, typed.unverified_password)
        if found.password_of is None or not is_right or not found.is_active:
            return Failure.WRONG
        renewed = _renewed(passwords, found, typed)
    with settler.writing(found.password_of) as session:
        budgets.refund(ctx, found.guess, now=settler.now, connection=session)
        ways = settler.ways.ask(session, found.password_of) if attempt is None else None
        row = session.execute(_HASH, {"resident_id": found.password_of}).first()
        if row is None or row.hash != found.kept:
            raise _Changed
        rests_on = row.rests_on or ""
        if renewed is not None:
            is_short = passwords.is_short(typed.unverified_password)
            keep_hash(
                session,
                found.password_of,
                renewed,
                is_short=is_short,
                rests_on=rests_on,
                now=settler.now,
            )
        proof = typical(Method.PASSWORD, rests_on)
        if attempt is not None:
            return settler.next(session, attempt, proof, found.password_of)
        return settler.first(session, goal, proof, found.password_of, ways)


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    """Whose password it would be, None when there is none; and how the guess counts."""

    password_of: str | None
    kept: str | None
    is_active: bool
    guess: Guess


def _find(ctx: Context, typed: Typed, settler: Settler) -> _Found:
    """The same look-up, whether or not anybody has this name (K23)."""
    country = ctx.settings.accounts.country
    named = asked_by_name(ctx.vault, typed.unverified_name, country=country)
    asked = {**named, **devices.asked_of(settler.visitor.device_cookie, now=settler.now)}
    row = ctx.database.fast.execute(_FIND, asked).first()
    resident_id, state, kept, device = row or (None, None, None, None)
    owner = resident_id if kept else None
    name = counted_name(typed.unverified_name, country)
    guess = settler.guess_on(device, "password", authenticator=owner, name=name)
    return _Found(owner, kept, state == "active", guess)


def _renewed(passwords: Passwords, found: _Found, typed: Typed) -> str | None:
    """The hash at today's cost, where the kept one was made at another; made before any transaction begins."""
    if found.kept is None or not passwords.is_outdated(found.kept):
        return None
    return passwords.hash(typed.unverified_password)
