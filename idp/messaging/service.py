"""Writing to the outbox, in the transaction that causes the message."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import insert

from idp.messaging.models import Message
from idp.messaging.texts import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.envelope import Vault

_CONTENT = "messaging_outbox.content"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one person, as it will be sent."""

    to: str
    subject: str
    text: str


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
) -> None:
    """Have a message sent as soon as the transaction is committed; not any more after `expires_at`."""
    subject, text = render(name, language, values)
    content = orjson.dumps({"to": to, "subject": subject, "text": text}).decode()
    message_id = secrets.token_urlsafe(16)
    connection.execute(
        insert(Message).values(
            id=message_id,
            name=name,
            state="waiting",
            content=vault.service_data_key("outbox").seal(content, f"{_CONTENT} {message_id}"),
            created_at=now,
            due_at=now,
            expires_at=expires_at,
            attempts=0,
            finished_at=None,
        )
    )


def open_mail(vault: Vault, message: Message) -> Mail:
    """A waiting message in the clear."""
    assert message.content is not None
    content = vault.service_data_key("outbox").open(message.content, f"{_CONTENT} {message.id}")
    return Mail(**orjson.loads(content))
