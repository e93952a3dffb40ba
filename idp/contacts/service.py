"""Changes of the contact points that a resident has: which is the main one, which signs in, which one goes.

What changes how one signs in waits: the former address is told, and may stop it or let it happen at once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.accounts.not_me import not_me_links
from idp.accounts.reach import postal_address, reached
from idp.contacts.models import Change
from idp.contacts.rules import Others, Refusal, removal_problem
from idp.jobs.one_by_one import one_by_one
from idp.login.codes.rules import Channel
from idp.login.factors import ways_of
from idp.login.models import Passkey
from idp.login.passwords import needs_second
from idp.messaging.service import enqueue, enqueue_sms, tell
from idp.recovery.ending import credentials_changed, stop_cases
from idp.recovery.models import Helper
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.accounts.contacts import Contact
    from idp.web.context import Context

#: A link to a former address is worth something for a while after the change happened, to say that it did.
_AFTERWARDS = 14 * 86_400
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change that waits for its time: what is done to which contact point, and when."""

    id: str
    what: str
    contact_id: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a change: it has happened, or it waits until `due_at`."""

    due_at: int | None = None


def waiting(session: Session, resident_id: str) -> Waiting | None:
    """The change of a resident that waits for its time, if any does."""
    row = session.execute(select(Change).where(*_waits(resident_id))).scalar_one_or_none()
    return None if row is None else Waiting(row.id, row.what, row.contact_id or "", row.due_at or 0)


def make_main(
    session: Session, ctx: Context, resident: Resident, contact_id: str, *, now: int
) -> Done | Refusal:
    """Have services told this address or number from now on."""
    found = contacts.make_main(session, ctx.vault, resident, contact_id, now=now)
    if found is None:
        return Refusal.GONE
    stop_cases(session, resident.id, now=now)
    _tell_of(session, ctx, resident, "main", found.kind, now=now)
    return Done()


def sign_in_with(
    session: Session, ctx: Context, resident: Resident, contact_id: str, *, keep: str | None, now: int
) -> Done | Refusal:
    """Sign in with another address or number: at once where there was none, else after the former one had its say.

    Done at once, it ends every session but one, whose public name is `keep`; after waiting, every one.
    """
    known = contacts.of_resident(session, ctx.vault, resident)
    wanted = next((one for one in known if one.id == contact_id), None)
    former = next((one for one in known if one.signs_in), None)
    if wanted is None:
        return Refusal.GONE
    if contacts.is_taken(session, resident.id, contact_id):
        return Refusal.TAKEN
    if former is None:
        return _apply_sign_in(session, ctx, resident, contact_id, keep=keep, now=now)
    return (
        Done()
        if former.id == contact_id
        else _wait(session, ctx, resident, wanted, what="sign_in", former=former, now=now)
    )


def remove(
    session: Session, ctx: Context, resident: Resident, contact_id: str, *, keep: str | None, now: int
) -> Done | Refusal:
    """Forget an address or number; one that signs in is asked first. Ends sessions as `sign_in_with` does."""
    gone = contacts.find(session, ctx.vault, resident, contact_id)
    if gone is None:
        return Refusal.GONE
    problem = removal_problem(signs_in=gone.signs_in, others=_others(session, ctx, resident, gone))
    if problem is not None:
        return problem
    if gone.signs_in:
        return _wait(session, ctx, resident, gone, what="remove", former=gone, now=now)
    return _apply_removal(session, ctx, resident, gone, keep=keep, now=now)


def _others(session: Session, ctx: Context, resident: Resident, gone: Contact) -> Others:
    """What is left without a contact point. A passkey counts as a way back: whoever has it needs no recovery.

    Recovery codes do not: they stand in for a second factor, and alone lead nowhere (`idp.recovery.rules.is_enough`).
    """
    known = contacts.of_resident(session, ctx.vault, resident)
    counted = (
        select(func.count())
        .select_from(Helper)
        .where(Helper.resident_id == resident.id, Helper.state == "accepted"),
        select(func.count()).select_from(Passkey).where(Passkey.resident_id == resident.id),
    )
    ways_back = sum(int(session.execute(one).scalar_one()) for one in counted)
    has_address = postal_address(session, ctx.vault, resident) is not None
    left = [one for one in known if one.id != gone.id]
    found = ways_of(ctx.settings).of(session, resident.id)
    kinds = {one.kind for one in left}
    lost = {one.method for one in Channel if one.contact == gone.kind and one.contact not in kinds}
    return Others(
        len(left),
        resident.username_index is not None,
        ways_back + has_address,
        needs_it=bool(lost) and found.owed <= lost and needs_second(session, resident.id),
        opens=not found.alone or not found.alone <= lost,
    )


# --- waiting ---


def _wait(
    session: Session,
    ctx: Context,
    resident: Resident,
    concerned: Contact,
    *,
    what: str,
    former: Contact,
    now: int,
) -> Done | Refusal:
    """Ask the former address; at most one change of a resident waits (the index says so)."""
    if waiting(session, resident.id) is not None:
        return Refusal.WAITING
    link, due_at = new_secret(), now + ctx.settings.accounts.contact_change_wait_for
    session.add(
        Change(
            id=secrets.token_urlsafe(16),
            resident_id=resident.id,
            what=what,
            kind=concerned.kind,
            contact_id=concerned.id,
            value=None,
            link_hash=digest(link),
            code_hash=None,
            tries=0,
            created_at=now,
            due_at=due_at,
            expires_at=due_at + _AFTERWARDS,
            ended_at=None,
            outcome=None,
        )
    )
    session.flush()
    address = f"{ctx.settings.server.issuer}/contact-change/{link}"
    (not_me_url,) = not_me_links(session, ctx.settings, resident.id, [reached(former)], now=now)
    write: Any = enqueue if former.kind == "email" else enqueue_sms
    write(
        session,
        ctx.vault,
        "contact_change_waits",
        to=former.value,
        language=resident.language,
        values={"what": what, "due_at": due_at, "link": address, "not_me_url": not_me_url},
        expires_at=due_at,
        now=now,
        kind="notice",
        resident_id=resident.id,
    )
    facts = {"change": f"{what}_waits", "kind": concerned.kind, "link": _page(ctx)}
    tell(session, ctx.vault, resident, "contact_changed", facts, now=now, except_=(former.value,))
    return Done(due_at)


def by_link(session: Session, unverified_link: str) -> Change | None:
    """The change that a former address is asked about, as it stands; looking changes nothing."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    found: Change | None = session.execute(
        select(Change).where(Change.link_hash == digest(unverified_link), Change.due_at.is_not(None))
    ).scalar_one_or_none()
    return found


def stop_by_link(session: Session, ctx: Context, unverified_link: str, *, now: int) -> bool:
    """The former address says no: nothing is changed."""
    return _stop(session, ctx, Change.link_hash == digest(unverified_link), now=now)


def stop(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """The resident thinks better of it, or has another password."""
    return _stop(session, ctx, Change.resident_id == resident_id, now=now)


def stop_everything(session: Session, resident_id: str, *, now: int) -> None:
    """Stop whatever waits or is yet to be confirmed, without a word: what made it necessary is told by itself."""
    session.execute(
        update(Change)
        .where(Change.resident_id == resident_id, Change.ended_at.is_(None))
        .values(ended_at=now, outcome="stopped")
        .execution_options(synchronize_session=False)
    )


def agree_by_link(session: Session, ctx: Context, unverified_link: str, *, now: int) -> bool:
    """The former address says yes: the change happens at once."""
    return _happen(session, ctx, Change.link_hash == digest(unverified_link), now=now)


def apply_due(ctx: Context, *, now: int) -> int:
    """Let every change happen whose time has come (a job); how many."""
    due = select(Change.id).where(Change.due_at <= now, Change.ended_at.is_(None)).limit(_BATCH)
    with ctx.database.reading() as session:
        ids = list(session.execute(due).scalars())
    return one_by_one(
        ctx.database,
        ids,
        lambda session, change_id: _happen(session, ctx, Change.id == change_id, now=now),
        failed="contact point not changed change",
    )


def _stop(session: Session, ctx: Context, which: Any, *, now: int) -> bool:
    row = _end(session, which, "stopped", now=now)
    if row is None:
        return False
    _tell_of(session, ctx, session.get_one(Resident, row.resident_id), "stopped", row.kind, now=now)
    return True


def _happen(session: Session, ctx: Context, which: Any, *, now: int) -> bool:
    """One conditional write decides between the job, the link and a stop; then the change is made.

    What cannot be done any more (somebody else signs in with it by now, say) is stopped, and its resident is told.
    """
    row = _end(session, which, "done", now=now)
    if row is None:
        return False
    resident = session.get_one(Resident, row.resident_id)
    if resident.state == "closed" or resident.data_key is None:
        return False
    if isinstance(_apply(session, ctx, resident, row, now=now), Done):
        return True
    session.execute(
        update(Change)
        .where(Change.id == row.id)
        .values(outcome="stopped")
        .execution_options(synchronize_session=False)
    )
    _tell_of(session, ctx, resident, "stopped", row.kind, now=now)
    return False


def _apply(session: Session, ctx: Context, resident: Resident, row: Any, *, now: int) -> Done | Refusal:
    if row.what == "sign_in":
        return _apply_sign_in(session, ctx, resident, row.contact_id, keep=None, now=now)
    gone = contacts.find(session, ctx.vault, resident, row.contact_id)
    if gone is None:
        return Refusal.GONE
    problem = removal_problem(signs_in=gone.signs_in, others=_others(session, ctx, resident, gone))
    return problem or _apply_removal(session, ctx, resident, gone, keep=None, now=now)


def _end(session: Session, which: Any, outcome: str, *, now: int) -> Any:
    """End a change that waits, once; its resident is locked first, as for every change of theirs."""
    waits = (which, Change.due_at.is_not(None), Change.ended_at.is_(None))
    whose = session.execute(select(Change.resident_id).where(*waits)).scalar_one_or_none()
    if whose is None:
        return None
    session.get_one(Resident, whose, with_for_update=True)
    return session.execute(
        update(Change)
        .where(*waits)
        .values(ended_at=now, outcome=outcome)
        .returning(Change.id, Change.resident_id, Change.what, Change.kind, Change.contact_id)
        .execution_options(synchronize_session=False)
    ).first()


def _apply_sign_in(
    session: Session, ctx: Context, resident: Resident, contact_id: str, *, keep: str | None, now: int
) -> Done | Refusal:
    try:
        with session.begin_nested():
            if not contacts.sign_in_with(session, resident.id, contact_id):
                return Refusal.GONE
    except IntegrityError:  # somebody else began to sign in with it meanwhile
        return Refusal.TAKEN
    credentials_changed(session, resident.id, keep_session=keep, now=now)
    found = contacts.find(session, ctx.vault, resident, contact_id)
    _tell_of(session, ctx, resident, "sign_in", found.kind if found else "email", now=now)
    return Done()


def _apply_removal(
    session: Session, ctx: Context, resident: Resident, gone: Contact, *, keep: str | None, now: int
) -> Done:
    """What goes is told as well, for the last time; whoever reads it there can have it put back."""
    _tell_of(session, ctx, resident, "removed", gone.kind, now=now)
    kept_for = ctx.settings.accounts.not_me_for
    contacts.remove(session, ctx.vault, resident, gone.id, now=now, kept_for=kept_for)
    credentials_changed(session, resident.id, keep_session=keep, now=now)
    return Done()


def _tell_of(session: Session, ctx: Context, resident: Resident, change: str, kind: str, *, now: int) -> None:
    facts = {"change": change, "kind": kind, "link": _page(ctx)}
    tell(session, ctx.vault, resident, "contact_changed", facts, now=now)


def _page(ctx: Context) -> str:
    return f"{ctx.settings.server.issuer}/account/contacts"


def _waits(resident_id: str) -> tuple[Any, ...]:
    return (Change.resident_id == resident_id, Change.due_at.is_not(None), Change.ended_at.is_(None))
