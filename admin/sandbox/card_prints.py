"""The sheets that a desk hands over with a card: PDFs beside the mail, shown on the mailbox page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from idp.login.cards.printing import card_pdf
from idp.login.cards.service import Printed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from idp.settings import Settings


def holders(residents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Who of these has a card, in the order of the prints."""
    return [one for one in residents if "card_number" in one]


def file_name(number: int) -> str:
    """The print of the holder of that number, from 1."""
    return f"letters-card-{number}.pdf"


def print_cards(settings: Settings, mail: Path, residents: Iterable[Mapping[str, Any]], *, now: int) -> None:
    """Print the card of everybody who has one, each in a process of its own, at the same time."""

    def sheets(holder: Mapping[str, Any]) -> bytes:
        return _sheets(settings, holder, now=now)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for number, pdf in enumerate(pool.map(sheets, holders(residents)), 1):
            (mail / file_name(number)).write_bytes(pdf)


def _sheets(settings: Settings, holder: Mapping[str, Any], *, now: int) -> bytes:
    number, *codes = (one.replace("-", "") for one in (holder["card_number"], *holder["paper_codes"]))
    return card_pdf(
        Printed(number, holder["pin"], tuple(codes)), settings, name=holder["name"], language="en", now=now
    )
