"""New contact points: a code and a link to the new address or number, and nothing is known there until they came back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from idp.accounts import contacts
from idp.accounts.reach import greeting
from idp.accounts.rules import is_phone_like
from idp.contacts.models import Change
from idp.contacts.rules import Refusal
from idp.messaging.service import enqueue, enqueue_sms, tell
from idp.recovery.codes import TRIES, is_same, keyed_hash, new_digits
from idp.recovery.ending import stop_cases
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.accounts.contacts import Contact
    from idp.accounts.models import Resident
    from idp.web.context import Context

#: How long a code works, in seconds: by mail, and by text message (NIST SP 800-63B-4 §3.1.3.3).
MAIL_FOR = 3600
SMS_FOR = 600
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Pending:
    """A contact point that waits for its code. `shown` is its value as people read it."""

    id: str
    kind: str
    value: str
    link_hash: bytes

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return contacts.Contact("", self.kind, self.value, signs_in=False, is_main=False, verified_at=0).shown


def check(session: Session, ctx: Context, resident: Resident, kind: str, typed: str) -> str | Refusal:
    """The normal form of what was typed, or why it cannot be added."""
    found = contacts.kind_of(typed, ctx.settings.accounts.country)
    if found is None or found[0] != kind:
        return _not_valid(kind, typed, ctx.settings.accounts.country)
    known = contacts.of_resident(session, ctx.vault, resident)
    if any((one.kind, one.value) == found for one in known):
        return Refusal.KNOWN
    return Refusal.TOO_MANY if len(known) >= contacts.LIMIT else found[1]


def _not_valid(kind: str, typed: str, country: str) -> Refusal:
    """What is wrong with an address or number that none can be."""
    if kind == "phone" and is_phone_like(typed, country):
        return Refusal.NO_SUCH_NUMBER
    return Refusal.NO_COUNTRY if kind == "phone" and not country else Refusal.NOT_VALID


def add(session: Session, ctx: Context, resident: Resident, kind: str, value: str, *, now: int) -> str:
    """Send a code to a new address or number; the id of what waits. An earlier one of this resident is worthless."""
    assert resident.data_key is not None
    _outdate(session, resident.id, now=now)
    change_id, link, code = secrets.token_urlsafe(16), new_secret(), new_digits(DIGITS)
    until = now + (MAIL_FOR if kind == "email" else SMS_FOR)
    session.add(
        Change(
            id=change_id,
            resident_id=resident.id,
            what="add",
            kind=kind,
            contact_id=None,
            value=ctx.vault.open_data_key(resident.data_key).seal(value, f"contacts_change|{change_id}"),
            link_hash=digest(link),
            code_hash=keyed_hash(ctx.vault, "contact", change_id, code),
            tries=0,
            created_at=now,
            due_at=None,
            expires_at=until,
            ended_at=None,
            outcome=None,
        )
    )
    facts = {
        "person": greeting(session, ctx.vault, resident),
        "code": code,
        "link": f"{ctx.settings.server.issuer}/account/contacts/confirm/{link}",
    }
    write: Any = enqueue if kind == "email" else enqueue_sms
    write(
        session,
        ctx.vault,
        "contact_confirm",
        to=value,
        language=resident.language,
        values=facts,
        expires_at=until,
        now=now,
        kind="code",
        resident_id=resident.id,
    )
    return change_id


def pending(
    session: Session, ctx: Context, resident: Resident, change_id: str, *, now: int
) -> Pending | None:
    """What waits for its code, of this very resident."""
    return _pending(session, ctx, resident, Change.id == change_id, now=now)


def pending_by_link(
    session: Session, ctx: Context, resident: Resident, unverified_link: str, *, now: int
) -> Pending | None:
    """What a link confirms; looking spends nothing."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    return _pending(session, ctx, resident, Change.link_hash == digest(unverified_link), now=now)


def confirm_by_code(
    session: Session, ctx: Context, resident: Resident, change_id: str, unverified_code: str, *, now: int
) -> Contact | Refusal:
    """Add the contact point if the code is right. Each try is counted before the code is looked at (K26).

    The caller commits either way.
    """
    kept = session.execute(
        update(Change)
        .where(Change.id == change_id, *_waiting(resident.id, now), Change.tries < TRIES)
        .values(tries=Change.tries + 1)
        .returning(Change.code_hash)
        .execution_options(synchronize_session=False)
    ).first()
    typed = keyed_hash(ctx.vault, "contact", change_id, unverified_code)
    if kept is None:
        return Refusal.GONE
    if not is_same(kept.code_hash, typed):
        return Refusal.WRONG_CODE
    return _confirm(session, ctx, resident, Change.id == change_id, now=now)


def confirm_by_link(
    session: Session, ctx: Context, resident: Resident, unverified_link: str, *, now: int
) -> Contact | Refusal:
    """Add the contact point of a link that was sent there, to the account of whoever asked for it and no other."""
    return _confirm(session, ctx, resident, Change.link_hash == digest(unverified_link), now=now)


def _confirm(
    session: Session, ctx: Context, resident: Resident, which: Any, *, now: int
) -> Contact | Refusal:
    """One conditional write; then the contact point exists, recoveries under way stop, the other channels are told."""
    row = session.execute(
        update(Change)
        .where(which, *_waiting(resident.id, now))
        .values(ended_at=now, outcome="done")
        .returning(Change.id, Change.kind, Change.value)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None or resident.data_key is None:
        return Refusal.GONE
    value = ctx.vault.open_data_key(resident.data_key).open(row.value, f"contacts_change|{row.id}")
    checked = check(session, ctx, resident, row.kind, value)
    if isinstance(checked, Refusal):
        return checked
    added = contacts.add_confirmed(session, ctx.vault, resident, row.kind, value, now=now)
    stop_cases(session, resident.id, now=now)
    facts = {"change": "added", "kind": row.kind, "link": f"{ctx.settings.server.issuer}/account/contacts"}
    tell(session, ctx.vault, resident, "contact_changed", facts, now=now, except_=(value,))
    return added


def end_expired(session: Any, *, since: int, now: int) -> None:
    """End what was not confirmed in time since then, so that no clock that is set back revives it (K40)."""
    session.execute(
        update(Change)
        .where(
            Change.expires_at > since,
            Change.expires_at <= now,
            Change.what == "add",
            Change.ended_at.is_(None),
        )
        .values(ended_at=now, outcome="stopped")
        .execution_options(synchronize_session=False)
    )


def _pending(session: Session, ctx: Context, resident: Resident, which: Any, *, now: int) -> Pending | None:
    row = session.execute(select(Change).where(which, *_waiting(resident.id, now))).scalar_one_or_none()
    if row is None or row.value is None or resident.data_key is None:
        return None
    value = ctx.vault.open_data_key(resident.data_key).open(row.value, f"contacts_change|{row.id}")
    return Pending(row.id, row.kind, value, row.link_hash)


def _waiting(resident_id: str, now: int) -> tuple[Any, ...]:
    return (
        Change.resident_id == resident_id,
        Change.what == "add",
        Change.ended_at.is_(None),
        Change.expires_at > now,
    )


def _outdate(session: Session, resident_id: str, *, now: int) -> None:
    session.execute(
        update(Change)
        .where(Change.resident_id == resident_id, Change.what == "add", Change.ended_at.is_(None))
        .values(ended_at=now, outcome="replaced")
        .execution_options(synchronize_session=False)
    )
