"""The people whom a resident trusts to say that it is they: asking them, their answer, and their word in a recovery."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select, update

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.accounts.reach import greeting
from idp.accounts.service import find_resident
from idp.messaging.service import tell
from idp.recovery.codes import TRIES, is_same, keyed_hash
from idp.recovery.models import Case, Helper

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from idp.web.context import Context

LIMIT = 5
_OPEN = ("asked", "accepted")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Somebody a resident trusts, as the resident sees them: by the name they typed."""

    id: str
    name: str
    has_accepted: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class Asking:
    """A resident who trusts the reader: their name is shown, for they asked."""

    id: str
    name: str
    has_accepted: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody who trusts the reader, and whose recovery waits for their word; `id` is that of the trust."""

    id: str
    name: str
    created_at: int


def is_oneself(session: Session, ctx: Context, resident: Resident, unverified_name: str) -> bool:
    """Whether a name is that of the resident who typed it: nobody can help themselves back in."""
    found = find_resident(session, ctx.vault, unverified_name, country=ctx.settings.accounts.country)
    own = {one.value for one in contacts.of_resident(session, ctx.vault, resident)}
    typed = contacts.kind_of(unverified_name, ctx.settings.accounts.country)
    return (found is not None and found.id == resident.id) or (typed is not None and typed[1] in own)


def name_helper(
    session: Session, ctx: Context, resident: Resident, unverified_name: str, *, now: int
) -> bool:
    """Ask somebody to be trusted; False when there are enough. It says nothing about whether that name is anybody's."""
    assert resident.data_key is not None
    own = select(Helper.id).where(Helper.resident_id == resident.id, Helper.state.in_(_OPEN))
    if len(session.execute(own).all()) >= LIMIT:
        return False
    found = find_resident(session, ctx.vault, unverified_name, country=ctx.settings.accounts.country)
    helper = found if found is not None and found.state == "active" and found.id != resident.id else None
    helper_id = secrets.token_urlsafe(16)
    data_key = ctx.vault.open_data_key(resident.data_key)
    session.add(
        Helper(
            id=helper_id,
            resident_id=resident.id,
            helper_id=helper.id if helper else None,
            name=data_key.seal(unverified_name.strip()[:254], f"recovery_helper|{helper_id}"),
            state="asked",
            created_at=now,
            ended_at=None,
        )
    )
    if helper is not None:
        link = f"{ctx.settings.server.issuer}/account/helpers"
        facts = {"person": greeting(session, ctx.vault, resident), "link": link}
        tell(session, ctx.vault, helper, "helper_asked", facts, now=now)
    tell(session, ctx.vault, resident, "helper_changed", {"change": "named"}, now=now)
    return True


def trusted_by(session: Session, ctx: Context, resident: Resident) -> list[Trusted]:
    """Whom a resident trusts, or has asked."""
    if resident.data_key is None:
        return []
    data_key = ctx.vault.open_data_key(resident.data_key)
    rows = session.execute(
        select(Helper)
        .where(Helper.resident_id == resident.id, Helper.state.in_(_OPEN))
        .order_by(Helper.created_at, Helper.id)
    ).scalars()
    return [
        Trusted(
            row.id,
            data_key.open(row.name, f"recovery_helper|{row.id}"),
            row.state == "accepted",
            row.created_at,
        )
        for row in rows
    ]


def trusting(session: Session, ctx: Context, helper_id: str) -> list[Asking]:
    """Who trusts a resident, or has asked them."""
    rows = session.execute(
        select(Helper.id, Helper.state, Resident)
        .join(Resident, Resident.id == Helper.resident_id)
        .where(Helper.helper_id == helper_id, Helper.state.in_(_OPEN), Resident.state != "closed")
        .order_by(Helper.created_at, Helper.id)
    ).all()
    return [Asking(row[0], greeting(session, ctx.vault, row[2]), row[1] == "accepted") for row in rows]


def hold(session: Session, resident_id: str, row_id: str) -> None:
    """Lock a resident and who trusts them in this row, before anything of theirs: a word and its end take turns.

    Always in one order, so that two who trust each other never wait for each other in a circle.
    """
    owner_id = session.execute(
        select(Helper.resident_id).where(Helper.id == row_id, Helper.helper_id == resident_id)
    ).scalar_one_or_none()
    both = {resident_id, owner_id or resident_id}
    session.execute(select(Resident.id).where(Resident.id.in_(both)).order_by(Resident.id).with_for_update())


def accept(session: Session, ctx: Context, helper_id: str, row_id: str, *, now: int) -> bool:
    """Say yes; the resident who asked is told."""
    owner_id = session.execute(
        update(Helper)
        .where(Helper.id == row_id, Helper.helper_id == helper_id, Helper.state == "asked")
        .values(state="accepted")
        .returning(Helper.resident_id)
    ).scalar_one_or_none()
    if owner_id is None:
        return False
    _tell_changed(session, ctx, owner_id, "accepted", now=now)
    return True


def end(session: Session, ctx: Context, resident_id: str, row_id: str, *, now: int) -> bool:
    """Trust no longer, or say no: either of the two may. What they had confirmed stops; who trusted is told.

    Both are locked already (`hold`).
    """
    either = or_(Helper.resident_id == resident_id, Helper.helper_id == resident_id)
    ended = session.execute(
        update(Helper)
        .where(Helper.id == row_id, either, Helper.state.in_(_OPEN))
        .values(state="ended", ended_at=now)
        .returning(Helper.resident_id, Helper.helper_id)
        .execution_options(synchronize_session=False)
    ).first()
    if ended is None:
        return False
    if ended.helper_id is not None:
        take_back(session, ctx, ended.helper_id, owner_id=ended.resident_id, now=now)
    _tell_changed(session, ctx, ended.resident_id, "ended", now=now)
    return True


def take_back(
    session: Session, ctx: Context, helper_id: str, *, owner_id: str | None = None, now: int
) -> None:
    """Stop what somebody trusted has confirmed, for one owner or for all, and tell each of them.

    For when they are trusted no longer, or it may have been somebody else who gave their word.
    """
    trusting_them = select(Helper.resident_id).where(Helper.helper_id == helper_id)
    of_whom = Case.resident_id == owner_id if owner_id else Case.resident_id.in_(trusting_them)
    stopped = session.execute(
        update(Case)
        .where(of_whom, Case.helper_id == helper_id, Case.state == "open")
        .values(state="stopped", ended_at=now)
        .returning(Case.resident_id, Case.expires_at)
        .execution_options(synchronize_session=False)
    ).all()
    for owner in {row.resident_id for row in stopped if row.expires_at > now}:
        _tell_changed(session, ctx, owner, "stopped", now=now)


def end_all_of(session: Session, ctx: Context, helper_id: str, *, now: int) -> None:
    """The account of somebody trusted is closed: whoever they had agreed to help is told, and keeps what is theirs.

    A question that was never answered is from now on one to a name that is nobody's, and looks as it did.
    """
    take_back(session, ctx, helper_id, now=now)
    session.execute(
        update(Case)
        .where(Case.helper_id == helper_id)
        .values(helper_id=None, ripe_at=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Helper)
        .where(Helper.helper_id == helper_id, Helper.state == "asked")
        .values(helper_id=None)
        .execution_options(synchronize_session=False)
    )
    ended = delete(Helper).where(Helper.helper_id == helper_id, Helper.state == "accepted")
    for owner_id in set(session.execute(ended.returning(Helper.resident_id)).scalars()):
        _tell_changed(session, ctx, owner_id, "ended", now=now)


def end_since(session: Session, resident_id: str, *, since: int, now: int) -> None:
    """Trust nobody any more who was named since an instant, without a word: what made it necessary is told by itself."""
    session.execute(
        update(Helper)
        .where(Helper.resident_id == resident_id, Helper.state.in_(_OPEN), Helper.created_at >= since)
        .values(state="ended", ended_at=now)
        .execution_options(synchronize_session=False)
    )


def wanted_of(session: Session, ctx: Context, helper_id: str, *, now: int) -> list[Wanted]:
    """Who waits for a resident's word, each of them once: anybody can ask in their name, as often as they like."""
    latest = func.max(Case.created_at)
    rows = session.execute(
        select(func.min(Helper.id), Helper.resident_id, latest)
        .join(Case, Case.resident_id == Helper.resident_id)
        .join(Resident, Resident.id == Helper.resident_id)
        .where(Helper.helper_id == helper_id, Helper.state == "accepted", Resident.state != "closed")
        .where(*_waits(now))
        .group_by(Helper.resident_id)
        .order_by(latest.desc())
    ).all()
    return [
        Wanted(row[0], greeting(session, ctx.vault, session.get_one(Resident, row[1])), row[2])
        for row in rows
    ]


def confirm(
    session: Session, ctx: Context, helper_id: str, row_id: str, unverified_digits: str, *, now: int
) -> bool:
    """Give one's word, with the digits that the other person reads out; the delay begins. The caller commits always.

    Both are locked already (`hold`).
    The digits say which of the requests in that person's name is theirs, and bind the word to the browser in which
    it was made: nobody else's is confirmed by mistake, however many there are.
    """
    trusted = (Helper.id == row_id, Helper.helper_id == helper_id, Helper.state == "accepted")
    owner_id = session.execute(select(Helper.resident_id).where(*trusted)).scalar_one_or_none()
    owner = session.get(Resident, owner_id) if owner_id else None
    if owner is None or owner.state == "closed":
        return False
    case_id = _try(session, ctx, owner.id, unverified_digits, now=now)
    if case_id is None:
        return False
    ripe_at = now + ctx.settings.accounts.recovery_wait_for
    given = session.execute(
        update(Case)
        .where(Case.id == case_id, Case.ripe_at.is_(None), Case.state == "open")
        .values(helper_id=helper_id, ripe_at=ripe_at)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if given is None:
        return False
    tell(session, ctx.vault, owner, "recovery_waits", {"ripe_at": ripe_at}, now=now)
    return True


def _try(session: Session, ctx: Context, owner_id: str, unverified_digits: str, *, now: int) -> str | None:
    """The one recovery that waits with these digits, after the try was counted in all that they were held against.

    None also when there are two, for nobody knows then whose is whose; who asks anew gets others.
    """
    tried = session.execute(
        update(Case)
        .where(Case.resident_id == owner_id, Case.compare_tries < TRIES, *_waits(now))
        .values(compare_tries=Case.compare_tries + 1)
        .returning(Case.id, Case.compare_hash)
        .execution_options(synchronize_session=False)
    ).all()
    right = [
        row.id
        for row in tried
        if is_same(row.compare_hash, keyed_hash(ctx.vault, "compare", row.id, unverified_digits))
    ]
    return right[0] if len(right) == 1 else None


def _waits(now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Case.compare_hash.is_not(None),
        Case.state == "open",
        Case.ripe_at.is_(None),
        Case.expires_at > now,
    )


def _tell_changed(session: Session, ctx: Context, owner_id: str, change: str, *, now: int) -> None:
    owner = session.get_one(Resident, owner_id)
    tell(session, ctx.vault, owner, "helper_changed", {"change": change}, now=now)
