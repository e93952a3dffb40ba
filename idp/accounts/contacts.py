"""A resident's contact points: reading them, adding, choosing and removing them. Every one of them is confirmed.

Nothing here asks for a confirmation or tells anybody: that is the business of whoever calls (`idp.contacts`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, insert, select, update

from idp.accounts.models import Attribute, ContactPoint, FormerContactPoint, Resident
from idp.accounts.rules import normal_email, normal_phone, shown_phone
from idp.accounts.service import email_index, phone_index, set_attribute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from keys.envelope import Vault

#: More than anybody needs, and too few to send a flood of notices to.
LIMIT = 10
#: The attribute that a kind of contact point is released as, and where it says it comes from.
_CLAIMS = {"email": ("email", "mail"), "phone": ("phone_number", "phone")}
#: What is kept of a contact point that may be put back.
_KEPT = ("id", "resident_id", "kind", "value", "signs_in", "is_main", "verified_at", "created_at")


@dataclass(frozen=True, slots=True)
class Contact:
    """A confirmed contact point in the clear. `value` is an address or an E.164 number."""

    id: str
    kind: str
    value: str
    signs_in: bool
    is_main: bool
    verified_at: int

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return shown_phone(self.value) if self.kind == "phone" else self.value


def of_resident(session: Session, vault: Vault, resident: Resident) -> list[Contact]:
    """Every confirmed contact point, the main ones first; none once the data key is destroyed."""
    if resident.data_key is None:
        return []
    data_key = vault.open_data_key(resident.data_key)
    points = session.execute(
        select(ContactPoint)
        .where(ContactPoint.resident_id == resident.id, ContactPoint.verified_at.is_not(None))
        .order_by(ContactPoint.kind, ContactPoint.is_main.desc(), ContactPoint.created_at, ContactPoint.id)
    ).scalars()
    return [
        Contact(
            point.id,
            point.kind,
            data_key.open(point.value, f"contact|{point.id}"),
            point.signs_in,
            point.is_main,
            point.verified_at or 0,
        )
        for point in points
    ]


def index_of(vault: Vault, kind: str, value: str) -> bytes:
    """The blind index under which a value of a kind is kept."""
    return email_index(vault, value) if kind == "email" else phone_index(vault, value)


def kind_of(unverified_value: str, country: str) -> tuple[str, str] | None:
    """What was typed: its kind and normal form; None when it is neither an address nor a number."""
    email = normal_email(unverified_value)
    if email is not None:
        return "email", email
    phone = normal_phone(unverified_value, country)
    return ("phone", phone) if phone is not None else None


def counted_name(unverified_name: str, country: str) -> str:
    """A typed name as budgets know it: however an address, a number or a user name is spelled, it is counted as one.

    For counting only. What is neither address nor number is folded, so a look-alike may count as the name it imitates
    (K24); who is meant, `find_resident` says.
    """
    found = kind_of(unverified_name, country)
    return found[1] if found is not None else unverified_name.strip().casefold()


def owners(session: Session, vault: Vault, kind: str, value: str, *, limit: int) -> list[ContactPoint]:
    """Contact points of everybody who is reached there; who signs in with it comes first."""
    return list(
        session.execute(
            select(ContactPoint)
            .join(Resident, Resident.id == ContactPoint.resident_id)
            .where(
                ContactPoint.kind == kind,
                ContactPoint.value_index == index_of(vault, kind, value),
                ContactPoint.verified_at.is_not(None),
                Resident.state != "closed",
            )
            .order_by(ContactPoint.signs_in.desc(), ContactPoint.created_at, ContactPoint.id)
            .limit(limit)
        ).scalars()
    )


def add_confirmed(
    session: Session, vault: Vault, resident: Resident, kind: str, value: str, *, now: int
) -> Contact:
    """Keep a contact point whose owner has just proved that they are reached there."""
    assert resident.data_key is not None
    contact_id = secrets.token_urlsafe(16)
    is_main = not _count(session, resident.id, ContactPoint.kind == kind)
    session.add(
        ContactPoint(
            id=contact_id,
            resident_id=resident.id,
            kind=kind,
            value=vault.open_data_key(resident.data_key).seal(value, f"contact|{contact_id}"),
            value_index=index_of(vault, kind, value),
            signs_in=False,
            is_main=is_main,
            verified_at=now,
            created_at=now,
        )
    )
    session.flush()
    _follow(session, vault, resident, kind, now=now)
    return Contact(contact_id, kind, value, signs_in=False, is_main=is_main, verified_at=now)


def is_taken(session: Session, resident_id: str, contact_id: str) -> bool:
    """Whether somebody else signs in with the same address or number: only one person may (the index says so)."""
    mine = select(ContactPoint.kind, ContactPoint.value_index).where(ContactPoint.id == contact_id).subquery()
    other = exists().where(
        ContactPoint.kind == mine.c.kind,
        ContactPoint.value_index == mine.c.value_index,
        ContactPoint.resident_id != resident_id,
        ContactPoint.signs_in,
    )
    return bool(session.execute(select(other).select_from(mine)).scalar_one_or_none())


def sign_in_with(session: Session, resident_id: str, contact_id: str) -> bool:
    """Make a contact point the one that works as a user name, instead of the former; False when it is gone.

    Raises:
        sqlalchemy.exc.IntegrityError: when somebody else signs in with it.
    """
    mine = ContactPoint.resident_id == resident_id
    found = session.execute(
        select(ContactPoint.id).where(
            mine, ContactPoint.id == contact_id, ContactPoint.verified_at.is_not(None)
        )
    ).first()
    if found is None:
        return False
    session.execute(update(ContactPoint).where(mine, ContactPoint.signs_in).values(signs_in=False))
    session.execute(update(ContactPoint).where(mine, ContactPoint.id == contact_id).values(signs_in=True))
    return True


def make_main(
    session: Session, vault: Vault, resident: Resident, contact_id: str, *, now: int
) -> Contact | None:
    """Have services told this one of its kind; None when it is not theirs."""
    contact = find(session, vault, resident, contact_id)
    if contact is None:
        return None
    mine = (ContactPoint.resident_id == resident.id, ContactPoint.kind == contact.kind)
    session.execute(update(ContactPoint).where(*mine, ContactPoint.is_main).values(is_main=False))
    session.execute(update(ContactPoint).where(ContactPoint.id == contact_id).values(is_main=True))
    _follow(session, vault, resident, contact.kind, now=now)
    return contact


def remove(
    session: Session, vault: Vault, resident: Resident, contact_id: str, *, now: int, kept_for: int = 0
) -> bool:
    """Remove a contact point; the oldest of its kind that is left becomes the main one. False when it was gone.

    One that had been there for `kept_for` can be put back for as long. A newer one cannot: whoever is rid of a thief's
    address would have it back by the thief's word.
    """
    removed = session.execute(
        delete(ContactPoint)
        .where(ContactPoint.id == contact_id, ContactPoint.resident_id == resident.id)
        .returning(*(getattr(ContactPoint, name) for name in _KEPT))
    ).first()
    if removed is None:
        return False
    if kept_for and removed.verified_at < max(now - kept_for, resident.created_at + 1):
        session.execute(insert(FormerContactPoint).values(**removed._asdict(), expires_at=now + kept_for))
    if removed.is_main:
        _promote(session, resident.id, removed.kind)
    _follow(session, vault, resident, removed.kind, now=now)
    return True


def go_back(
    session: Session, vault: Vault, resident: Resident, *, since: int, reader: str | None, now: int
) -> list[str]:
    """Forget what was confirmed since an instant, by the word of whoever reads at `reader`; the ids of what went.

    That contact point stays, or is put back if it was removed: no other one is, for nobody there has said a word. The
    name to sign in with goes back to what is left.
    """
    known = of_resident(session, vault, resident)
    doubtful = [one for one in known if one.verified_at >= since and one.id != reader]
    for one in doubtful:
        remove(session, vault, resident, one.id, now=now)
    signed_in = _put_back(session, vault, resident, reader, now=now) if reader is not None else False
    if signed_in or any(one.signs_in for one in doubtful):
        _sign_in_again(session, vault, resident, first=reader)
    return [one.id for one in doubtful]


def _put_back(session: Session, vault: Vault, resident: Resident, contact_id: str, *, now: int) -> bool:
    """Put back a contact point that was removed; whether it had signed in."""
    former = session.execute(
        delete(FormerContactPoint)
        .where(
            FormerContactPoint.id == contact_id,
            FormerContactPoint.resident_id == resident.id,
            FormerContactPoint.expires_at > now,
        )
        .returning(*(getattr(FormerContactPoint, name) for name in _KEPT))
    ).first()
    if former is None or resident.data_key is None:
        return False
    value = vault.open_data_key(resident.data_key).open(former.value, f"contact|{former.id}")
    is_main = not _count(session, resident.id, ContactPoint.kind == former.kind)
    kept = {**former._asdict(), "signs_in": False, "is_main": is_main}
    index = index_of(vault, former.kind, value)
    session.execute(insert(ContactPoint).values(**kept, value_index=index))
    if former.is_main:
        make_main(session, vault, resident, former.id, now=now)
    else:
        _follow(session, vault, resident, former.kind, now=now)
    return bool(former.signs_in)


def _sign_in_again(session: Session, vault: Vault, resident: Resident, *, first: str | None) -> None:
    """Sign in with one contact point if there is none for it: `first` if it can be, one that nobody else signs in with."""
    left = sorted(of_resident(session, vault, resident), key=lambda one: one.id != first)
    if any(one.signs_in for one in left):
        return
    free = next((one for one in left if not is_taken(session, resident.id, one.id)), None)
    if free is not None:
        sign_in_with(session, resident.id, free.id)


def find(session: Session, vault: Vault, resident: Resident, contact_id: str) -> Contact | None:
    """A contact point of this very resident (K34)."""
    return next((one for one in of_resident(session, vault, resident) if one.id == contact_id), None)


def _promote(session: Session, resident_id: str, kind: str) -> None:
    oldest = (
        select(ContactPoint.id)
        .where(
            ContactPoint.resident_id == resident_id,
            ContactPoint.kind == kind,
            ContactPoint.verified_at.is_not(None),
        )
        .order_by(ContactPoint.created_at, ContactPoint.id)
        .limit(1)
    )
    session.execute(
        update(ContactPoint).where(ContactPoint.id == oldest.scalar_subquery()).values(is_main=True)
    )


def _follow(session: Session, vault: Vault, resident: Resident, kind: str, *, now: int) -> None:
    """Release the main contact point as the claim of its kind, confirmed since it was; or nothing."""
    name, source = _CLAIMS[kind]
    assert resident.data_key is not None
    main = next((c for c in of_resident(session, vault, resident) if c.kind == kind and c.is_main), None)
    if main is None:
        session.execute(delete(Attribute).where(Attribute.resident_id == resident.id, Attribute.name == name))
        resident.changed_at = now
        return
    data_key = vault.open_data_key(resident.data_key)
    set_attribute(
        session, data_key, resident, name, main.value, source=source, verified_at=main.verified_at, now=now
    )


def _count(session: Session, resident_id: str, *conditions: Any) -> int:
    found = (
        select(func.count())
        .select_from(ContactPoint)
        .where(ContactPoint.resident_id == resident_id, ContactPoint.verified_at.is_not(None), *conditions)
    )
    return int(session.execute(found).scalar_one())
