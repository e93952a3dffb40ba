"""What the tests of messaging share: a town with gateways of its own, and short ways to write and send."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from idp.messaging.delivery import Courier
from idp.messaging.models import Message
from idp.messaging.ports import Ports, PostalAddress, register
from idp.messaging.service import enqueue, enqueue_letter, enqueue_sms
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.town import Town

VALUES = {
    "link": "https://id.riverton.example/x?token=sEcReT",
    "device": "Firefox on Linux",
    "at": 1_800_000_000,
}
MARIA = PostalAddress("Maria Okafor", ("12 Mill Street", "40100 Riverton"))


@contextmanager
def town_with(database_url: str, folder: Path, **sections: Any) -> Iterator[Town]:
    """A town with these sections in its settings."""
    made = make_town(database_url, folder, **sections)
    yield made
    made.context.database.close()


def deliver(town: Town, channel: str) -> int:
    """One run of a courier that has just begun."""
    return Courier(town.context, channel).deliver_due(int(town.clock()))


def write_mail(town: Town, to: str = "noor@example.org", **options: Any) -> str:
    return _write(town, enqueue, to, options)


def write_sms(town: Town, to: str = "+33612345678", **options: Any) -> str:
    return _write(town, enqueue_sms, to, options)


def write_letter(town: Town, to: PostalAddress = MARIA, **options: Any) -> str:
    return _write(town, enqueue_letter, to, options)


def _write(town: Town, how: Any, to: Any, options: dict[str, Any]) -> str:
    now = int(town.clock())
    wanted = {
        "name": "passkey_added",
        "language": "en",
        "values": VALUES,
        "kind": "notice",
        "expires_at": now + 3600,
        **options,
    }
    with town.context.database.transaction() as session:
        message_id: str = how(session, town.context.vault, wanted.pop("name"), to=to, now=now, **wanted)
    return message_id


def row(town: Town, message_id: str) -> Any:
    return next(one for one in town.rows(Message) if one.id == message_id)


def reached(town: Town, **ports: Any) -> None:
    """Say where residents of this town are reached."""
    register(town.context.vault, Ports(**ports))
