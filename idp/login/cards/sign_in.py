"""Signing in with a card and its PIN, and with a code of its list. From outside every refusal looks the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.accounts.models import Resident
from idp.login import budgets
from idp.login.cards import service
from idp.login.levels import Method, typical
from idp.login.settling import Failure

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.attempts import Attempt
    from idp.login.cards.models import Card
    from idp.login.cards.service import Asked
    from idp.login.passwords import Passwords
    from idp.login.settling import Goal, Outcome, Settler


def with_card(
    settler: Settler,
    passwords: Passwords,
    number: str,
    unverified_pin: str,
    *,
    goal: Goal,
    attempt: Attempt | None,
) -> Outcome:
    """Check the PIN of the card with this number (in its normal form). Without an `attempt` the sign-in begins here.

    The guess is counted before the PIN is looked at, and the same work is done for a card that does not exist.

    Raises:
        idp.login.admission.Busy: when too many secrets are being checked; nothing was counted then.
    """
    ctx, now = settler.ctx, settler.now
    with passwords.admission.place():
        with ctx.database.reading() as session:
            card = service.find(session, ctx.vault, number)
            state = _state(session, card)
            whose, authenticator = (card.resident_id, card.id) if card else (None, None)
            guess = settler.guess(session, "card-pin", authenticator=authenticator, name=number, whose=whose)
        if not budgets.spend(ctx, guess, now=now):
            return Failure.THROTTLED
        is_right = passwords.is_right(card.pin_verifier if card else None, unverified_pin)
    if card is None or not is_right or state != "active":
        return Failure.WRONG
    with settler.writing(card.resident_id) as session:
        if not service.note_use(session, card.id, now=now):
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        proof = typical(Method.CARD)
        if attempt is not None:
            return settler.next(session, attempt, proof, card.resident_id)
        return settler.first(session, goal, proof, card.resident_id)


def with_code(
    settler: Settler, passwords: Passwords, asked: Asked, unverified_code: str, attempt: Attempt
) -> Outcome:
    """Check the code whose turn it is, and spend it by one conditional write: of two equal ones one goes on."""
    ctx, now = settler.ctx, settler.now
    whose = attempt.resident_id
    assert whose is not None
    with passwords.admission.place():
        with ctx.database.reading() as session:
            guess = settler.guess(session, "paper-code", authenticator=asked.card_id, name=whose, whose=whose)
        if not budgets.spend(ctx, guess, now=now):
            return Failure.THROTTLED
        if not passwords.is_right(asked.verifier, unverified_code):
            return Failure.WRONG
    with settler.writing(whose) as session:
        if not service.spend_code(session, asked, now=now):
            return Failure.WRONG
        budgets.refund(ctx, guess, now=now, connection=session)
        return settler.next(session, attempt, typical(Method.PAPER_CODE), whose)


def _state(session: Session, card: Card | None) -> str:
    """The state of the account that the card opens; one look-up, whether there is a card or not."""
    resident = session.get(Resident, card.resident_id if card else "")
    return resident.state if resident else ""
