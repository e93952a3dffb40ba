"""Writing to the outbox, in the transaction that causes the message."""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from sqlalchemy import func, insert, select

from idp.messaging import limits
from idp.messaging.models import Message
from idp.messaging.ports import PostalAddress, ports
from idp.messaging.texts import check_values, has_sms

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.orm import Session

    from idp.messaging.ports import Addressee, Reached
    from idp.settings import MessageSettings
    from keys.columns import IndexBytes
    from keys.envelope import Vault

__all__ = ["PostalAddress", "enqueue", "enqueue_letter", "enqueue_sms", "open_message", "tell", "would_leave"]

#: `code`: a code or link that anybody can ask for: limited per address, sent at once.
#: `notice`: something happened to an account: never limited, sent at once. `reminder`: waits for the morning.
Kind = Literal["code", "notice", "reminder"]

Channel = Literal["mail", "sms"]

NOTICE_FOR = 7 * 86_400
CODE_FOR = 600
LETTER_FOR = 60 * 86_400

_CONTENT = "messaging_outbox.content"
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")


@dataclass(frozen=True, slots=True)
class Content:
    """What is sealed in the outbox: the recipient, and the facts that the text is made of."""

    to: Any
    values: dict[str, Any]


#: What somebody else's account is about: the reader has done nothing that could be not theirs, and the link would freeze
#: the reader's own account.
_ABOUT_OTHERS: Final = frozenset({"help_wanted", "helper_asked"})


def tell(
    session: Session,
    vault: Vault,
    resident: Addressee,
    name: str,
    values: Mapping[str, Any],
    *,
    now: int,
    kind: Literal["notice", "code", "reminder", "letter"] = "notice",
    except_: Collection[str] = (),
    expires_at: int | None = None,
) -> list[str]:
    """Tell a resident on every confirmed channel, in their language; the ids of the messages.

    Mail always; a text message where the message has `sms.txt`; a letter besides only for kind `letter`. `except_`
    names addresses and numbers that are left out. A notice carries a "This wasn't me" link, another one for each reader,
    unless it is about somebody else. Without `expires_at` a notice is worth sending for a week and a code for ten minutes.
    """
    known = ports(vault)
    reach = known.reach(session, resident)
    until = expires_at or now + (CODE_FOR if kind == "code" else NOTICE_FOR)
    phones = reach.phones if has_sms(name) else ()
    written: list[tuple[Any, Any, int, Reached | None]] = [
        *((enqueue, one.to, until, one) for one in reach.emails if one.to not in except_),
        *((enqueue_sms, one.to, until, one) for one in phones if one.to not in except_),
    ]
    if kind == "letter" and reach.postal is not None:
        written.append((enqueue_letter, reach.postal, expires_at or now + LETTER_FOR, None))
    own: list[dict[str, str]] = [{} for _ in written]
    if kind in ("notice", "letter") and name not in _ABOUT_OTHERS and "not_me_url" not in values:
        links = known.not_me_links(session, resident, [reader for *_, reader in written], now)
        own = [{"not_me_url": link} for link in links]
    shared: dict[str, Any] = {
        "language": resident.language,
        "now": now,
        "kind": "notice" if kind == "letter" else kind,
        "resident_id": resident.id,
    }
    return [
        write(session, vault, name, to=to, expires_at=expires, values={**values, **more}, **shared)
        for (write, to, expires, _), more in zip(written, own, strict=True)
    ]


def would_leave(
    session: Session,
    vault: Vault,
    rules: MessageSettings,
    channel: Channel,
    to: str,
    *,
    resident_id: str,
    allowance: str,
    now: int,
) -> bool:
    """Whether a code to this resident at this address would leave, or be withheld because there were enough of them.

    For what makes an earlier code worthless: with a newer one that never arrives, nothing would work.
    """
    index = _recipient_index(vault, channel, to.casefold() + allowance)
    waiting = select(func.count()).where(
        Message.resident_id == resident_id,
        Message.channel == channel,
        Message.state == "waiting",
        Message.kind == "code",
        Message.attempts == 0,
        Message.expires_at > now,
        Message.recipient_index == index,
    )
    counted = session.execute(waiting).scalar_one()
    return limits.has_room(session, index, rules, waiting=counted, now=now)


def enqueue(
    connection: Any,
    vault: Vault,
    name: str,
    *,
    to: str,
    language: str,
    values: Mapping[str, Any],
    expires_at: int,
    now: int,
    kind: Kind = "notice",
    resident_id: str | None = None,
    allowance: str = "",
) -> str:
    """Have a mail sent as soon as the transaction is committed; not any more at `expires_at`. Its id.

    `allowance`: among which codes to this address one is counted (`rules.allowance`); empty: those of nobody.

    Raises:
        LookupError: when there is no such message, or a value that its texts need is missing.
    """
    return _write(
        connection, vault, name, "mail", to, to.casefold() + allowance,
        language=language, values=values, expires_at=expires_at, now=now, kind=kind, resident_id=resident_id,
    )  # fmt: skip


def enqueue_sms(
    connection: Any,
    vault: Vault,
    name: str,
    *,
    to: str,
    language: str,
    values: Mapping[str, Any],
    expires_at: int,
    now: int,
    kind: Kind = "code",
    resident_id: str | None = None,
    allowance: str = "",
) -> str:
    """Have a text message sent to an E.164 number, otherwise as `enqueue` does.

    Raises:
        LookupError: as `enqueue`, and when the message has no `sms.txt`.
        ValueError: when `to` is no number in E.164 form.
    """
    if not _E164.fullmatch(to):
        raise ValueError("a text message goes to a number in E.164 form, such as +33612345678")
    return _write(
        connection, vault, name, "sms", to, to + allowance,
        language=language, values=values, expires_at=expires_at, now=now, kind=kind, resident_id=resident_id,
    )  # fmt: skip


def enqueue_letter(
    connection: Any,
    vault: Vault,
    name: str,
    *,
    to: PostalAddress,
    language: str,
    values: Mapping[str, Any],
    expires_at: int,
    now: int,
    kind: Kind = "notice",
    resident_id: str | None = None,
) -> str:
    """Have a letter printed with the next `denizen letters batch`, otherwise as `enqueue` does."""
    return _write(
        connection, vault, name, "letter", asdict(to), "\n".join((to.name, *to.lines)).casefold(),
        language=language, values=values, expires_at=expires_at, now=now, kind=kind, resident_id=resident_id,
    )  # fmt: skip


def _write(  # noqa: PLR0917
    connection: Any,
    vault: Vault,
    name: str,
    channel: str,
    to: Any,
    recipient: str,
    *,
    language: str,
    values: Mapping[str, Any],
    expires_at: int,
    now: int,
    kind: Kind,
    resident_id: str | None,
) -> str:
    check_values(name, channel, values)
    message_id = secrets.token_urlsafe(16)
    content = orjson.dumps({"to": to, "values": dict(values)}).decode()
    connection.execute(
        insert(Message).values(
            id=message_id,
            name=name,
            channel=channel,
            kind=kind,
            language=language,
            state="waiting",
            content=vault.service_data_key("outbox").seal(content, f"{_CONTENT} {message_id}"),
            resident_id=resident_id,
            recipient_index=_recipient_index(vault, channel, recipient),
            created_at=now,
            due_at=now,
            expires_at=expires_at,
            attempts=0,
            refusals=0,
            trouble="",
            reference=None,
            batch=None,
            finished_at=None,
        )
    )
    return message_id


def _recipient_index(vault: Vault, channel: str, recipient: str) -> IndexBytes:
    return vault.blind_index(f"recipient-{channel}", recipient)


def open_message(vault: Vault, message: Message) -> Content:
    """A waiting message in the clear.

    Raises:
        keys.envelope.SealBroken: when the row was tampered with.
    """
    assert message.content is not None
    found = orjson.loads(vault.service_data_key("outbox").open(message.content, f"{_CONTENT} {message.id}"))
    if "values" not in found:  # written by a version that kept the finished text
        return Content(found.pop("to"), {"finished": found})
    return Content(found["to"], found["values"])
