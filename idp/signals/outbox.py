"""The outbox of signals: putting them in, and what an operator does with them, to whom nobody is named."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from idp.jobs import outgoing
from idp.signals.models import Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATES = ("waiting", "sent", "dead", "dropped")


@dataclass(frozen=True, slots=True)
class Listed:
    """One signal as the operator sees it."""

    id: str
    kind: str
    client_id: str
    state: str
    trouble: str
    attempts: int
    created_at: int
    due_at: int
    finished_at: int | None


_COLUMNS = tuple(getattr(Delivery, name) for name in Listed.__dataclass_fields__)


def put(connection: Any, rows: Sequence[Mapping[str, Any]], *, now: int) -> None:
    """Have signals sent, in the caller's transaction.

    Each row has its kind, client_id and resident_id, and what else is not as it is for most: due at once, never tried.
    """
    begun = {
        "subject": None,
        "sid": "",
        "state": "waiting",
        "created_at": now,
        "due_at": now,
        "attempts": 0,
        "refusals": 0,
        "trouble": "",
        "finished_at": None,
        "matter_id": None,
        "event": None,
        "payload": None,
    }
    if rows:
        connection.execute(
            insert(Delivery), [{"id": secrets.token_urlsafe(16), **begun, **row} for row in rows]
        )


def listed(connection: Any, states: Sequence[str], client_id: str | None, limit: int) -> list[Listed]:
    """Signals in these states, the oldest first."""
    found = select(*_COLUMNS).where(Delivery.state.in_(states))
    if client_id is not None:
        found = found.where(Delivery.client_id == client_id)
    rows = connection.execute(found.order_by(Delivery.created_at, Delivery.id).limit(limit))
    return [Listed(*row) for row in rows]


def counted(connection: Any) -> list[tuple[str, str, int]]:
    """How many signals there are for each client, in each state."""
    found = select(Delivery.client_id, Delivery.state, func.count()).group_by(
        Delivery.client_id, Delivery.state
    )
    rows = connection.execute(found.order_by(Delivery.client_id, Delivery.state))
    return [(client_id, state, count) for client_id, state, count in rows]


def retry(connection: Any, signal_id: str | None, *, client_id: str | None = None, now: int) -> list[str]:
    """Let dead signals (one, those of a client, or all) be tried again; their ids."""
    again = {"state": "waiting", "due_at": now, "refusals": 0, "finished_at": None}
    return outgoing.change(
        connection, Delivery, signal_id, Delivery.state == "dead", *_of(client_id), values=again
    )


def drop(connection: Any, signal_id: str | None, *, client_id: str | None = None, now: int) -> list[str]:
    """Give up dead signals (one, those of a client, or all), or one that waits; their ids."""
    states = ("dead",) if signal_id is None else ("dead", "waiting")
    given_up = {"state": "dropped", "finished_at": now}
    which = (Delivery.state.in_(states), *_of(client_id))
    return outgoing.change(connection, Delivery, signal_id, *which, values=given_up)


def _of(client_id: str | None) -> tuple[Any, ...]:
    return () if client_id is None else (Delivery.client_id == client_id,)
