"""Signing in with a card and its PIN, and with a code of its list. From outside every refusal looks the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.accounts.models import Resident
from idp.login import budgets, devices
from idp.login.budgets import Guess
from idp.login.cards import service
from idp.login.levels import Method, typical
from idp.login.rules import network_of
from idp.login.settling import Failure

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.attempts import Attempt
    from idp.login.cards.models import Card
    from idp.login.cards.service import Asked
    from idp.login.passwords import Passwords
    from idp.login.settling import Goal, Outcome, Settler


@dataclass(frozen=True, slots=True, repr=False)
class Typed:
    """A PIN or a code as it was typed, without blanks; from where, and the cookie of the device."""

    unverified_secret: str
    source: str
    device_cookie: str | None


def with_card(
    settler: Settler,
    passwords: Passwords,
    number: str,
    typed: Typed,
    *,
    goal: Goal,
    attempt: Attempt | None,
) -> Outcome:
    """Check the PIN of the card with this number (in its normal form). Without an `attempt` the sign-in begins here.

    The guess is counted before the PIN is looked at, and the same work is done for a card that does not exist.
    """
    ctx, now = settler.ctx, settler.now
    with ctx.database.reading() as session:
        card = service.find(session, ctx.vault, number)
        state = _state(session, card)
        owner = card.resident_id if card else None
        device = devices.known(session, typed.device_cookie, owner, now=now)
    guess = Guess("card-pin", card.id if card else None, number, network_of(typed.source), device)
    if not budgets.spend(ctx, guess, now=now):
        return Failure.THROTTLED
    is_right = passwords.is_right(card.pin_verifier if card else None, typed.unverified_secret)
    if card is None or not is_right or state != "active":
        return Failure.WRONG
    with ctx.database.transaction() as session:
        if not service.note_use(session, card.id, now=now):
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        proof = typical(Method.CARD)
        if attempt is not None:
            return settler.next(session, attempt, proof, card.resident_id)
        return settler.first(session, goal, proof, card.resident_id)


def with_code(
    settler: Settler, passwords: Passwords, asked: Asked, typed: Typed, attempt: Attempt
) -> Outcome:
    """Check the code whose turn it is, and spend it by one conditional write: of two equal ones one goes on."""
    ctx, now = settler.ctx, settler.now
    assert attempt.resident_id is not None
    with ctx.database.reading() as session:
        device = devices.known(session, typed.device_cookie, attempt.resident_id, now=now)
    guess = Guess("paper-code", asked.card_id, attempt.resident_id, network_of(typed.source), device)
    if not budgets.spend(ctx, guess, now=now):
        return Failure.THROTTLED
    if not passwords.is_right(asked.verifier, typed.unverified_secret):
        return Failure.WRONG
    with ctx.database.transaction() as session:
        if not service.spend_code(session, asked, now=now):
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        return settler.next(session, attempt, typical(Method.PAPER_CODE), attempt.resident_id)


def _state(session: Session, card: Card | None) -> str:
    """The state of the account that the card opens; one look-up, whether there is a card or not."""
    resident = session.get(Resident, card.resident_id if card else "")
    return resident.state if resident else ""
