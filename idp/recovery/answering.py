"""Who was meant by a recovery that was asked for, and what is sent to them. A job does this, not the request.

So the page answers alike and as fast for every name (K23); what happens here, nobody outside can measure.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from idp.accounts import contacts
from idp.accounts.models import Resident
from idp.accounts.reach import greeting, postal_address
from idp.accounts.rules import normal_username
from idp.accounts.service import username_index
from idp.jobs.one_by_one import one_by_one
from idp.login import budgets
from idp.login.budgets import Limit
from idp.login.devices import known_by_hash
from idp.messaging.rules import allowance
from idp.messaging.service import enqueue, enqueue_letter, enqueue_sms, tell, would_leave
from idp.recovery.codes import DIGITS, keyed_hash, new_code, new_digits
from idp.recovery.models import Case, Helper, Token
from idp.recovery.rules import grouped
from idp.recovery.service import CONTEXT, SMS_FOR, STEP_FOR, like, open_to_helpers, prolong
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from idp.accounts.contacts import Contact
    from idp.messaging.ports import PostalAddress
    from idp.messaging.service import Channel
    from idp.recovery.service import Underway
    from idp.web.context import Context

log = logging.getLogger("denizen.recovery")

BATCH = 50
#: So many people who share an address are written to at once.
_SHARERS = 5
#: Nobody is sent more letters than these within the time in which one works.
_LETTERS = 3
#: Nor are those whom somebody trusts called more often, or than once a day.
_CALLS = (Limit("helper-call", 1, 86_400), Limit("helper-calls", 3, 7 * 86_400))
_RECOVERABLE = ("active", "frozen")


def answer_asked(ctx: Context, *, now: int) -> int:
    """Answer what was asked for since the last time; how many were answered."""
    with ctx.database.reading() as session:
        asked = select(Case.id).where(Case.state == "asked", Case.expires_at > now)
        ids = list(session.execute(asked.order_by(Case.created_at).limit(BATCH)).scalars())
    return one_by_one(
        ctx.database,
        ids,
        lambda session, case_id: _answer(session, ctx, case_id, now=now),
        failed="recovery not answered case",
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """One case that is answered, who was meant by the name that was typed, and where each is written to."""

    session: Session
    ctx: Context
    case: Case
    name: str
    meant: list[tuple[Resident, Contact | None]]
    #: Hash of the cookie by which the browser that asked may be known.
    device: bytes
    now: int


def _answer(session: Session, ctx: Context, case_id: str, *, now: int) -> bool:
    """Take a case by one conditional write, so that no second process answers it; then act on it."""
    case = session.execute(
        update(Case).where(Case.id == case_id, Case.state == "asked").values(state="open").returning(Case)
    ).scalar_one_or_none()
    if case is None or case.name is None:
        return False
    asked = ctx.vault.service_data_key("recovery").open(case.name, f"{CONTEXT} {case_id}")
    name, _, device = asked.partition("\n")
    case.name = None
    answers = {"message": _send_messages, "letter": _send_letter, "helper": _call_helpers}
    answers[case.wish](
        _Answer(session, ctx, case, name, _meant(session, ctx, name), bytes.fromhex(device), now)
    )
    return True


def _meant(session: Session, ctx: Context, name: str) -> list[tuple[Resident, Contact | None]]:
    """Who is meant by a name, and where they are written to: everybody who is reached at an address, or one."""
    typed = contacts.kind_of(name, ctx.settings.accounts.country)
    if typed is None:
        username = normal_username(name)
        found = select(Resident).where(Resident.username_index == username_index(ctx.vault, username or ""))
        resident = session.execute(found).scalar_one_or_none()
        return [(resident, None)] if resident is not None and resident.state in _RECOVERABLE else []
    points = contacts.owners(session, ctx.vault, *typed, limit=_SHARERS)
    meant: list[tuple[Resident, Contact | None]] = []
    for point in points:
        resident = session.get_one(Resident, point.resident_id)
        if resident.state in _RECOVERABLE:
            meant.append((resident, contacts.find(session, ctx.vault, resident, point.id)))
    return meant


def ask_also(session: Session, ctx: Context, under_way: Underway, wish: str, *, now: int) -> None:
    """One more proof in a recovery in which something was proved: a message, a letter, or somebody trusted."""
    prolong(session, under_way, ctx.settings, wish, now=now)
    if wish == "helper":
        open_to_helpers(session, ctx.vault, under_way)
    case = session.get_one(Case, under_way.id)
    resident = session.get_one(Resident, under_way.resident_id)
    this = _Answer(session, ctx, case, "", [(resident, None)], b"", now)
    if wish == "message":
        proved = {"email": case.mail_at, "phone": case.phone_at}
        for point in contacts.of_resident(session, ctx.vault, resident):
            if point.is_main and proved[point.kind] is None:
                send_code(session, ctx, case, resident, point, is_theirs=True, now=now)
    else:
        {"letter": _send_letter, "helper": _call_helpers}[wish](this)


# --- a message to a contact point ---


def _send_messages(this: _Answer) -> None:
    """A link and digits to where they are reached; who shares an address gets a message each, with a case each."""
    if not this.meant:
        _say_unknown(this)
        return
    for position, (resident, contact) in enumerate(this.meant):
        own = this.case if position == 0 else _another_case(this)
        own.resident_id = resident.id
        is_theirs = known_by_hash(this.session, this.device, resident.id, now=this.now) is not None
        for point in [contact] if contact else _preferred(this.session, this.ctx, resident):
            send_code(this.session, this.ctx, own, resident, point, is_theirs=is_theirs, now=this.now)


def _preferred(session: Session, ctx: Context, resident: Resident) -> list[Contact]:
    """Where somebody who gave a user name is written to: the main address, or else the main number."""
    known = contacts.of_resident(session, ctx.vault, resident)
    return sorted((one for one in known if one.is_main), key=lambda one: one.kind)[:1]


def _another_case(this: _Answer) -> Case:
    """A case for one more person at the same address; it goes on only in the browser that opens its link."""
    another = like(this.case, digest(new_secret()), digest(new_secret()))
    this.session.add(another)
    return another


def send_code(
    session: Session,
    ctx: Context,
    case: Case,
    resident: Resident,
    point: Contact,
    *,
    is_theirs: bool,
    now: int,
) -> None:
    """A link with digits to one contact point; older ones to the same kind are worthless from now on (K22).

    Nothing at all where the address had enough of them: what it has already works on. `is_theirs`: asked for after a
    proof, or in a browser where this resident signed in before.
    """
    own = allowance(resident.id, is_theirs=is_theirs)
    if not _has_room(session, ctx, resident, point, own, now=now):
        log.warning("recovery message withheld case=%s reason=limit", case.id)
        return
    is_mail = point.kind == "email"
    write: Callable[..., str]
    kind, write, works_for = ("mail", enqueue, STEP_FOR) if is_mail else ("phone", enqueue_sms, SMS_FOR)
    link, digits, until = new_secret(), new_digits(DIGITS), now + works_for
    _outdate(session, case, resident.id, kind, now=now)
    kept: dict[str, Any] = {
        "contact_id": point.id,
        "code_hash": keyed_hash(ctx.vault, "message", case.id, digits),
    }
    _keep_token(session, case, resident, link, kind=kind, until=until, now=now, **kept)
    facts = {
        "person": greeting(session, ctx.vault, resident),
        "link": f"{ctx.settings.server.issuer}/recover/link/{link}",
        "code": digits,
    }
    write(
        session,
        ctx.vault,
        "recover",
        to=point.value,
        language=resident.language,
        values=facts,
        expires_at=until,
        now=now,
        kind="code",
        resident_id=resident.id,
        allowance=own,
    )


def _has_room(
    session: Session, ctx: Context, resident: Resident, point: Contact, own: str, *, now: int
) -> bool:
    """Whether a code to this contact point would leave after those that wait."""
    if ctx.settings.testing.enabled:
        return True
    channel: Channel = "mail" if point.kind == "email" else "sms"
    rules = ctx.settings.messages
    return would_leave(
        session, ctx.vault, rules, channel, point.value, resident_id=resident.id, allowance=own, now=now
    )


def _say_unknown(this: _Answer) -> None:
    """Who reads an address that nobody has is told so there, and nowhere else; nothing is sent to phones."""
    typed = contacts.kind_of(this.name, this.ctx.settings.accounts.country)
    if typed is None or typed[0] != "email":
        return
    enqueue(
        this.session,
        this.ctx.vault,
        "recover_unknown",
        to=typed[1],
        language=this.ctx.settings.town.languages[0],
        values={"link": f"{this.ctx.settings.server.issuer}/signup"},
        expires_at=this.case.expires_at,
        now=this.now,
        kind="code",
    )


def _keep_token(
    session: Session,
    case: Case,
    resident: Resident,
    secret: str,
    *,
    kind: str,
    until: int,
    now: int,
    contact_id: str | None = None,
    code_hash: bytes | None = None,
) -> None:
    session.flush()
    session.execute(
        insert(Token).values(
            token_hash=digest(secret),
            case_id=case.id,
            resident_id=resident.id,
            kind=kind,
            contact_id=contact_id,
            code_hash=code_hash,
            tries=0,
            created_at=now,
            expires_at=until,
            spent_at=None,
        )
    )


def _outdate(session: Session, case: Case, resident_id: str, kind: str, *, now: int) -> None:
    """A newer link makes older ones worthless (K22).

    Digits in a text message, which has no link, are good in their own browser alone. A newer message makes those of
    another browser no safer, and whoever has nothing else would be kept out by strangers who ask (K28).
    """
    of_whom = Token.case_id == case.id if kind == "phone" else Token.resident_id == resident_id
    session.execute(
        update(Token)
        .where(of_whom, Token.kind == kind, Token.spent_at.is_(None))
        .values(spent_at=now)
        .execution_options(synchronize_session=False)
    )


# --- a letter ---


def _send_letter(this: _Answer) -> None:
    """A code by post to the address on file, if there is one, not too often; every other channel is told at once."""
    for resident, _ in this.meant[:1]:
        to = postal_address(this.session, this.ctx.vault, resident)
        this.case.resident_id = resident.id
        if to is not None and _may_send_letter(this.session, this.ctx, resident.id, now=this.now):
            _post(this, resident, to)
            tell(this.session, this.ctx.vault, resident, "recovery_started", {"way": "letter"}, now=this.now)


def _post(this: _Answer, resident: Resident, to: PostalAddress) -> None:
    """The code leaves with the next letters; an earlier one is worthless from now on. The case waits no longer for it."""
    code, works_for = new_code(), this.ctx.settings.accounts.letter_code_for
    until = min(this.case.expires_at, this.now + works_for)
    _outdate(this.session, this.case, resident.id, "letter", now=this.now)
    _keep_token(this.session, this.case, resident, code, kind="letter", until=until, now=this.now)
    link = f"{this.ctx.settings.server.issuer}/recover/letter"
    enqueue_letter(
        this.session,
        this.ctx.vault,
        "recovery_letter",
        to=to,
        language=resident.language,
        values={"code": grouped(code), "link": link, "until": until},
        expires_at=until,
        now=this.now,
        resident_id=resident.id,
    )


def _may_send_letter(session: Session, ctx: Context, resident_id: str, *, now: int) -> bool:
    """A day between two letters, and no more than three in the time in which one works: paper costs, and alarms."""
    limits = ctx.settings.accounts
    sent = select(func.count(), func.max(Token.created_at)).where(
        Token.resident_id == resident_id,
        Token.kind == "letter",
        Token.created_at > now - limits.letter_code_for,
    )
    count, latest = session.execute(sent).one()
    return int(count) < _LETTERS and (latest is None or now - int(latest) >= limits.letter_pause_for)


# --- somebody trusted ---


def _call_helpers(this: _Answer) -> None:
    """Ask the people whom the resident trusts; every channel of the resident is told at the same time.

    Not again at every request: anybody can make one. It waits for a word all the same, and its digits find it.
    """
    session, vault = this.session, this.ctx.vault
    for resident, _ in this.meant[:1]:
        trusted = select(Helper.helper_id).where(
            Helper.resident_id == resident.id, Helper.state == "accepted"
        )
        helper_ids = list(session.execute(trusted).scalars())
        if not helper_ids:
            continue
        this.case.resident_id = resident.id
        counted = [(limit, resident.id) for limit in _CALLS]
        if not budgets.take(this.ctx, *counted, now=this.now, connection=session):
            continue
        link = f"{this.ctx.settings.server.issuer}/account/helpers"
        facts = {"person": greeting(session, vault, resident), "link": link}
        for helper_id in helper_ids:
            helper = session.get(Resident, helper_id)
            if helper is not None and helper.state == "active":
                tell(session, vault, helper, "help_wanted", facts, now=this.now)
        tell(session, vault, resident, "recovery_started", {"way": "helper"}, now=this.now)
