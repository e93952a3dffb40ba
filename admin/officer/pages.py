"""What the page about one person shows, put together from choices, records and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import gettext

from admin.officer import words
from consent import records, releases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consent.executor import Executor
    from consent.records import HistoryEntry
    from consent.releases import Release

    NameOf = Callable[[str], str]

_WITHOUT_CHOICE = frozenset({"requested", "refused", "withdrawn"})
_SHORT_HASH = 12


def services(connection: Executor, resident_id: str, name_of: NameOf) -> list[dict[str, Any]]:
    """Every service the person ever had to do with; the last to receive something comes first."""
    by_client = records.choices_by_client(connection, resident_id)
    last = releases.last_by_client(connection, resident_id)
    order = sorted({*by_client, *last}, key=lambda client_id: (-last.get(client_id, 0), client_id))
    return [
        {
            "client_id": client_id,
            "name": name_of(client_id),
            "state_text": words.state_text(by_client.get(client_id, {}).values()),
            "last_release_at": last.get(client_id),
        }
        for client_id in order
    ]


def record_lines(entries: Sequence[HistoryEntry], name_of: NameOf) -> list[dict[str, Any]]:
    """The timeline of choices, one line an event."""
    return [
        {
            "when": one.at,
            "event": words.event_text(one.event),
            "service": name_of(one.client_id),
            "purpose": one.notice_title or one.purpose_id,
            "claims": words.claims_text(
                one.claims_offered if one.event in _WITHOUT_CHOICE else one.claims_chosen
            ),
            "notice_hash": gettext(
                "Version %(version)s, %(hash)s",
                version=one.notice_version,
                hash=one.notice_hash.hex()[:_SHORT_HASH],
            ),
        }
        for one in entries
    ]


def release_lines(entries: Sequence[Release], name_of: NameOf) -> list[dict[str, Any]]:
    """What was handed over, one line a release."""
    return [
        {
            "when": one.at,
            "service": name_of(one.client_id),
            "kind_text": words.release_text(one.kind),
            "claims": words.released_text(one.claims),
        }
        for one in entries
    ]


def next_cursor(
    shown: Mapping[str, Sequence[HistoryEntry] | Sequence[Release]], size: int
) -> dict[str, int] | None:
    """Where each list goes on, by its name; None when no list goes on. A list that ended stays at 0."""
    if all(len(entries) < size for entries in shown.values()):
        return None
    return {name: entries[-1].id if len(entries) == size else 0 for name, entries in shown.items()}
