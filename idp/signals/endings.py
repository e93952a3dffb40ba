"""From the end of a session to signals: its tokens die, and every client that was answered in it is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idp.login import endings
from idp.oidc import families
from idp.oidc.subjects import told_subject
from idp.signals import outbox

if TYPE_CHECKING:
    from collections.abc import Collection

    from idp.clients.registry import ClientRegistry
    from idp.oidc.provider import Provider

#: So many ends are followed up in one transaction.
BATCH = 200


def follow_up(provider: Provider, *, now: int) -> int:
    """Write a signal for each client of each session that has ended since; how many.

    The end of a session is its own order (`idp.login.endings`), so whatever ended it, it is followed up here.
    """
    database, written = provider.context.database, 0
    while True:
        with database.reading() as reading:  # which costs nobody the one writer of SQLite
            if not endings.is_any_untold(reading, now=now):
                return written
        with database.transaction() as writing:
            ended = endings.take_in_hand(writing, limit=BATCH, now=now)
            written += _write(writing, provider.clients, ended, now=now)
        if not ended:
            return written


def follow_up_resident(writing: Any, clients: ClientRegistry, resident_id: str, *, now: int) -> int:
    """Write the signals of one resident's ended sessions at once, before the rows they are read from are erased; how many."""
    sids = endings.take_all_of(writing, resident_id, now=now)
    return _put(writing, clients, {resident_id}, sids, now=now)


def _write(writing: Any, clients: ClientRegistry, ended: Collection[endings.Ended], *, now: int) -> int:
    sids, residents = {one.sid for one in ended}, {one.resident_id for one in ended}
    families.end_families_of_sessions(writing, residents, sids, now=now)
    return _put(writing, clients, residents, sids, now=now)


def _put(
    writing: Any, clients: ClientRegistry, residents: Collection[str], sids: Collection[str], *, now: int
) -> int:
    rows = [
        {
            "kind": "logout",
            **one._asdict(),
            "subject": told_subject(writing, one.client_id, one.resident_id),
        }
        for one in families.clients_of_sessions(writing, residents, sids)
        if _wants_to_know(clients, one.client_id)
    ]
    outbox.put(writing, rows, now=now)
    return len(rows)


def _wants_to_know(clients: ClientRegistry, client_id: str) -> bool:
    client = clients.find(client_id)
    return client is not None and client.details.backchannel_logout_uri != ""
