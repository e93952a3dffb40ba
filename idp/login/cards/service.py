"""Cards and their paper lists: making, issuing, revoking, and spending one code.

What is printed leaves this module once, in `Printed`, whose repr shows nothing. Secrets are hashed before any
transaction begins: that takes half a second for a card, and SQLite has one writer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from idp.login.cards.models import Card, PaperCode
from idp.login.cards.rules import (
    ALPHABET,
    CODE_LENGTH,
    LIST_LENGTH,
    NUMBER_LENGTH,
    PIN_LENGTH,
    check_letter,
    is_trivial,
    normal_number,
)
from idp.login.levels import Method
from idp.login.ways import RESIDENT, Way

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.passwords import Passwords
    from keys.envelope import Vault

_LIVE: Final = (Card.resident_id == RESIDENT, Card.revoked_at.is_(None))
#: What the sign-in pages know of cards: a card and its PIN open the account, a code of its list raises the level. Their
#: addresses lead to the field, because a scanner types where the focus is.
CARD_WAY: Final = Way(
    Method.CARD, "/login/card#card_number", has=exists().where(*_LIVE), alone=exists().where(*_LIVE)
)
PAPER_WAY: Final = Way(
    Method.PAPER_CODE,
    "/login/paper-code#code",
    has=exists().where(*_LIVE, PaperCode.card_id == Card.id, PaperCode.spent_at.is_(None)),
)
_SPEND: Final = (
    update(PaperCode)
    .where(
        PaperCode.card_id == bindparam("of_card"),
        PaperCode.place == bindparam("at_place"),
        PaperCode.spent_at.is_(None),
        exists().where(Card.id == bindparam("of_card"), Card.revoked_at.is_(None)),
    )
    .values(spent_at=bindparam("at"))
    .returning(PaperCode.place)
)


class HasCard(Exception):
    """The resident has a card that works; it must be revoked first."""


@dataclass(frozen=True, slots=True, repr=False)
class Printed:
    """What goes on paper and nowhere else. `codes` are in the order of their numbers, from 1."""

    number: str
    pin: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A card that is not issued yet: what is printed, and what is kept of its secrets."""

    printed: Printed
    pin_verifier: str
    code_verifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The code of the paper list whose turn it is: its number, its verifier, and how many are left with it."""

    card_id: str
    place: int
    verifier: str
    left: int


def make(passwords: Passwords) -> Made:
    """A new card with random number, PIN and codes; call it outside any transaction."""
    printed = Printed(_new_number(), _new_pin(), tuple(_digits(CODE_LENGTH) for _ in range(LIST_LENGTH)))
    return Made(printed, passwords.hash(printed.pin), tuple(map(passwords.hash, printed.codes)))


def issue(session: Session, vault: Vault, resident_id: str, made: Made, *, now: int) -> str:
    """Keep a card for a resident and return its id.

    Raises:
        HasCard: when they have one that works.
    """
    card = Card(
        id=secrets.token_urlsafe(16),
        resident_id=resident_id,
        number_index=number_index(vault, made.printed.number),
        ending=made.printed.number[-4:],
        pin_verifier=made.pin_verifier,
        issued_at=now,
        used_at=None,
        revoked_at=None,
    )
    session.add(card)
    try:
        session.flush()
    except IntegrityError as error:
        raise HasCard from error
    session.add_all(
        PaperCode(card_id=card.id, place=place, verifier=verifier, spent_at=None)
        for place, verifier in enumerate(made.code_verifiers, 1)
    )
    session.flush()
    return card.id


def revoke(session: Session, resident_id: str, *, now: int) -> Card | None:
    """Let the resident's card open nothing any more; the card, or None when there was none."""
    statement = (
        update(Card)
        .where(Card.resident_id == resident_id, Card.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Card)
    )
    return session.execute(statement).scalar_one_or_none()


def find(session: Session, vault: Vault, unverified_number: str) -> Card | None:
    """The card that works and bears this number. The same look-up is made for what is no number."""
    number = normal_number(unverified_number) or ""
    return session.execute(
        select(Card).where(Card.number_index == number_index(vault, number), Card.revoked_at.is_(None))
    ).scalar_one_or_none()


def live(session: Session, resident_id: str) -> Card | None:
    """The resident's card that works."""
    return session.execute(
        select(Card).where(Card.resident_id == resident_id, Card.revoked_at.is_(None))
    ).scalar_one_or_none()


def note_use(session: Session, card_id: str, *, now: int) -> bool:
    """Note that a card signs in; False when it was revoked this very moment."""
    used = session.execute(
        update(Card)
        .where(Card.id == card_id, Card.revoked_at.is_(None))
        .values(used_at=now)
        .returning(Card.id)
    ).first()
    return used is not None


def asked_code(session: Any, resident_id: str) -> Asked | None:
    """The code that a resident is asked for: the first unspent one of their card; None when there is none left."""
    row = session.execute(
        select(PaperCode.card_id, PaperCode.place, PaperCode.verifier)
        .join(Card, Card.id == PaperCode.card_id)
        .where(Card.resident_id == resident_id, Card.revoked_at.is_(None), PaperCode.spent_at.is_(None))
        .order_by(PaperCode.place)
        .limit(1)
    ).first()
    return row and Asked(row.card_id, row.place, row.verifier, codes_left(session, row.card_id))


def codes_left(session: Any, card_id: str) -> int:
    """How many codes of a card's list still work."""
    unspent = (PaperCode.card_id == card_id, PaperCode.spent_at.is_(None))
    found: int = session.execute(select(func.count()).where(*unspent)).scalar_one()
    return found


def listed(session: Session, *, with_revoked: bool = False) -> list[tuple[Card, int]]:
    """Every card with the codes left on its list, the latest first."""
    left = (
        select(func.count())
        .where(PaperCode.card_id == Card.id, PaperCode.spent_at.is_(None))
        .scalar_subquery()
    )
    which = [] if with_revoked else [Card.revoked_at.is_(None)]
    found = session.execute(select(Card, left).where(*which).order_by(Card.issued_at.desc(), Card.id))
    return [(card, count) for card, count in found.all()]


def spend_code(session: Any, asked: Asked, *, now: int) -> bool:
    """Spend one code; true for exactly one of parallel callers, false for a card that was revoked meanwhile."""
    spent = session.execute(_SPEND, {"of_card": asked.card_id, "at_place": asked.place, "at": now})
    return spent.first() is not None


def number_index(vault: Vault, number: str) -> bytes:
    """Blind index of a card number in its normal form."""
    return vault.blind_index("card", number)


def _new_number() -> str:
    body = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH - 1))
    return body + check_letter(body)


def _new_pin() -> str:
    while is_trivial(pin := _digits(PIN_LENGTH)):
        pass
    return pin


def _digits(length: int) -> str:
    return f"{secrets.randbelow(10**length):0{length}}"
