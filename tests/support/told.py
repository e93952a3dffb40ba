"""What people were told: the messages of a town as they stand in the outbox, in the clear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from idp.messaging.models import Message
from idp.messaging.service import open_message
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.town import Town


@dataclass(frozen=True)
class Told:
    """One message on one channel."""

    name: str
    channel: str
    to: Any
    values: dict[str, Any]
    at: int

    @property
    def link(self) -> str:
        """The path of the link in it."""
        return self.path("link")

    def path(self, value: str) -> str:
        """The path of an address in it, which must be one of ours."""
        assert self.values[value].startswith(f"{ISSUER}/"), self.values[value]
        return str(self.values[value]).removeprefix(ISSUER)


def told(town: Town, name: str | None = None) -> list[Told]:
    """Every message that waits, or those of one name, the oldest first."""
    rows = sorted(
        (row for row in town.rows(Message) if row.content is not None), key=lambda row: row.created_at
    )
    found = []
    for row in rows:
        content = open_message(town.context.vault, row)
        found.append(Told(row.name, row.channel, content.to, content.values, row.created_at))
    return [one for one in found if name is None or one.name == name]


def forms(page: str) -> list[str]:
    """The addresses to which the forms of a page post."""
    return re.findall(r'<form\b[^>]*action="([^"]+)"', page)
