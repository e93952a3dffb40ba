"""Sending codes and spending them. Whoever is not known gets a row and no message, at the same cost (K23)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, select, text, update

from idp.accounts import contacts
from idp.accounts.models import ContactPoint, Resident
from idp.login.attempts import CLOCK_LEEWAY
from idp.login.codes.models import CodeChoice, SentCode
from idp.login.codes.rules import DIGITS, LIVES_FOR, TRIES, Channel, grouped, masked
from idp.login.models import Password
from idp.login.ways import RESIDENT, Way
from idp.messaging.rules import allowance
from idp.messaging.service import enqueue, enqueue_sms
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from idp.accounts.contacts import Contact
    from idp.login.levels import Method
    from idp.web.context import Context
    from keys.envelope import Vault

_MESSAGE = "sign_in_code"
_NOWHERE = {Channel.EMAIL: "nobody@invalid.example", Channel.SMS: "+15005550100"}

_KEEP = text(
    "INSERT INTO login_sent_code (attempt_hash, channel, resident_id, code_hash, link_hash, name_hash, tries, "
    "created_at, expires_at, spent_at) VALUES (:attempt_hash, :channel, :resident_id, :code_hash, :link_hash, "
    ":name_hash, 0, :created_at, :expires_at, NULL) ON CONFLICT (attempt_hash, channel) DO UPDATE SET "
    "resident_id = excluded.resident_id, code_hash = excluded.code_hash, link_hash = excluded.link_hash, "
    "name_hash = excluded.name_hash, tries = 0, created_at = excluded.created_at, "
    "expires_at = excluded.expires_at, spent_at = NULL"
)
#: A try is counted before the code is looked at.
_TRY = (
    update(SentCode)
    .where(
        SentCode.attempt_hash == bindparam("attempt"),
        SentCode.channel == bindparam("by"),
        SentCode.spent_at.is_(None),
        SentCode.tries < TRIES,
        SentCode.expires_at > bindparam("at"),
        SentCode.created_at <= bindparam("latest"),
    )
    .values(tries=SentCode.tries + 1)
    .returning(SentCode.code_hash, SentCode.resident_id)
    .execution_options(synchronize_session=False)
)
_SPEND = (
    update(SentCode)
    .where(
        SentCode.attempt_hash == bindparam("attempt"),
        SentCode.channel == bindparam("by"),
        SentCode.code_hash == bindparam("right_hash"),
        SentCode.spent_at.is_(None),
    )
    .values(spent_at=bindparam("at"))
    .returning(SentCode.resident_id)
    .execution_options(synchronize_session=False)
)
_EXPIRE = (
    update(SentCode)
    .where(SentCode.spent_at.is_(None), SentCode.expires_at <= bindparam("at"))
    .values(spent_at=bindparam("at"))
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What is to be sent: for which attempt, by what, to whom (None: to nobody), under which typed name."""

    attempt_hash: bytes
    channel: Channel
    resident: Resident | None
    to: str | None
    name_hash: bytes
    service_name: str
    #: Asked for after a proof, or in a browser where this resident signed in before: by no stranger.
    is_theirs: bool


def ways(*, has_sms: bool) -> tuple[Way, ...]:
    """Codes as ways in; text messages where the town sends any."""
    return tuple(_way(one) for one in (Channel.EMAIL, *([Channel.SMS] if has_sms else [])))


def _way(channel: Channel) -> Way:
    has = exists().where(
        ContactPoint.resident_id == RESIDENT,
        ContactPoint.kind == channel.contact,
        ContactPoint.verified_at.is_not(None),
    )
    mine = (CodeChoice.resident_id == RESIDENT, CodeChoice.channel == channel.value)
    unasked = ~exists().where(*mine) & ~exists().where(Password.resident_id == RESIDENT)
    return Way(
        channel.method,
        channel.page,
        has=has,
        owed=has & exists().where(*mine, CodeChoice.always),
        alone=has & (exists().where(*mine, CodeChoice.alone) | unasked),
    )


def recipient(
    session: Session, vault: Vault, resident: Resident | None, channel: Channel, name: str
) -> str | None:
    """Where a code goes: the contact point that was typed, as `counted_name` has it, or else the main one.

    Nobody costs the same.
    """
    known = contacts.of_resident(session, vault, resident) if resident else _nobodys_contacts(session, vault)
    fitting = [one for one in known if one.kind == channel.contact]
    return next(
        (one.value for one in fitting if one.value.casefold() == name), fitting[0].value if fitting else None
    )


def shown_address(session: Session, vault: Vault, resident_id: str | None, channel: Channel) -> str:
    """Where codes for this resident go, as much of it as its owner needs to know it; "" when there is none."""
    to = recipient(session, vault, session.get(Resident, resident_id or ""), channel, "")
    return masked(to) if to else ""


def _nobodys_contacts(session: Session, vault: Vault) -> list[Contact]:
    """The work of reading one contact point, for nothing."""
    key, wrapped = vault.new_data_key()
    session.execute(select(ContactPoint).where(ContactPoint.resident_id == "")).all()
    vault.open_data_key(wrapped).open(key.seal(_NOWHERE[Channel.EMAIL], "contact|"), "contact|")
    return []


def send(session: Session, ctx: Context, letter: Letter, *, language: str, now: int) -> None:
    """Make a code and have it sent; the former one of this attempt and channel is worth nothing any more."""
    code = str(secrets.randbelow(10**DIGITS)).zfill(DIGITS)
    link = new_secret()
    session.execute(
        _KEEP,
        {
            "attempt_hash": letter.attempt_hash,
            "channel": letter.channel.value,
            "resident_id": letter.resident.id if letter.resident and letter.to else None,
            "code_hash": _hash(ctx.vault, letter.attempt_hash, letter.channel, code),
            "link_hash": digest(link),
            "name_hash": letter.name_hash,
            "created_at": now,
            "expires_at": now + LIVES_FOR,
        },
    )
    values = {
        "code": grouped(code),
        "link": f"{ctx.settings.server.issuer}/login/link?token={link}",
        "service": letter.service_name or ctx.settings.town.name,
        "minutes": LIVES_FOR // 60,
    }
    # A message to nobody is written and taken back, so that it takes as long.
    savepoint = session.begin_nested()
    write = enqueue if letter.channel is Channel.EMAIL else enqueue_sms
    write(
        session,
        ctx.vault,
        _MESSAGE,
        to=letter.to or _NOWHERE[letter.channel],
        language=letter.resident.language if letter.resident else language,
        values=values,
        kind="code",
        resident_id=letter.resident.id if letter.resident else None,
        allowance=allowance(letter.resident.id if letter.resident else "", is_theirs=letter.is_theirs),
        expires_at=now + LIVES_FOR,
        now=now,
    )
    savepoint.commit() if letter.to else savepoint.rollback()


def waiting(session: Any, attempt_hash: bytes, channel: Channel, *, now: int) -> Any:
    """The code that this attempt waits for (resident_id, name_hash, created_at), or None."""
    return session.execute(
        select(SentCode.resident_id, SentCode.name_hash, SentCode.created_at).where(
            SentCode.attempt_hash == attempt_hash,
            SentCode.channel == channel.value,
            SentCode.spent_at.is_(None),
            SentCode.expires_at > now,
            SentCode.created_at <= now + CLOCK_LEEWAY,
        )
    ).first()


def count_try(session: Any, attempt_hash: bytes, channel: Channel, *, now: int) -> bytes | None:
    """Count a try of the live code, in a transaction that is over before the code is looked at: its hash, or None."""
    asked = {"attempt": attempt_hash, "by": channel.value, "at": now, "latest": now + CLOCK_LEEWAY}
    found = session.execute(_TRY, asked).first()
    return None if found is None else bytes(found.code_hash)


def is_right(ctx: Context, attempt_hash: bytes, channel: Channel, kept: bytes | None, code: str) -> bool:
    """Whether this is the code whose hash was kept."""
    return hmac.compare_digest(_hash(ctx.vault, attempt_hash, channel, code), kept or bytes(32))


def spend(session: Any, attempt_hash: bytes, channel: Channel, kept: bytes, *, now: int) -> str | None:
    """Spend the code by one conditional write; whose it was, for exactly one of parallel callers."""
    asked = {"attempt": attempt_hash, "by": channel.value, "right_hash": kept, "at": now}
    found = session.execute(_SPEND, asked).first()
    return None if found is None else found.resident_id


def choices(session: Session, resident_id: str) -> dict[str, str]:
    """What a resident chose, by channel: alone, always or after."""
    rows = session.execute(select(CodeChoice).where(CodeChoice.resident_id == resident_id)).scalars()
    return {row.channel: "alone" if row.alone else "always" if row.always else "after" for row in rows}


def choose(session: Session, resident_id: str, channel: Channel, choice: str, *, now: int) -> None:
    """Keep what a resident wants: `alone`, `always` (after the password) or `after` (when more is asked for)."""
    session.merge(
        CodeChoice(
            resident_id=resident_id,
            channel=channel.value,
            alone=choice == "alone",
            always=choice == "always",
            changed_at=now,
        )
    )
    session.flush()


def keep_after(session: Session, resident_id: str, methods: Collection[Method], *, now: int) -> None:
    """Write down for these ways what holds while nothing is chosen and there is a password: not instead of one."""
    chosen = choices(session, resident_id)
    for channel in Channel:
        if channel.method in methods and channel.value not in chosen:
            choose(session, resident_id, channel, "after", now=now)


def remove_choices(session: Session, resident_id: str, channels: Collection[Channel]) -> None:
    """Back to what holds for everybody: a recovery that did not prove these channels counts them as lost."""
    lost = CodeChoice.channel.in_([channel.value for channel in channels])
    session.execute(delete(CodeChoice).where(CodeChoice.resident_id == resident_id, lost))


def expire(session: Any, *, now: int) -> None:
    """Mark what has expired, so that no clock that is set back revives it (K40)."""
    session.execute(_EXPIRE, {"at": now})


def name_index(vault: Vault, name: str) -> bytes:
    """A name as budgets know it, without keeping it."""
    return vault.blind_index("login-name", name)


def _hash(vault: Vault, attempt_hash: bytes, channel: Channel, code: str) -> bytes:
    said = attempt_hash + f"|{channel.value}|{code}".encode()
    return hmac.new(vault.subkey("sign-in-code"), said, hashlib.sha256).digest()
