"""What an operator does with the outbox: see what is stuck, try it again, drop it. Nobody's address is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from idp.jobs import outgoing
from idp.messaging.models import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.web.context import Context

STATES = ("waiting", "sent", "expired", "dead", "withheld", "dropped")


@dataclass(frozen=True, slots=True)
class Listed:
    """One message as the operator sees it."""

    id: str
    name: str
    channel: str
    kind: str
    state: str
    trouble: str
    attempts: int
    created_at: int
    due_at: int
    expires_at: int
    finished_at: int | None
    reference: str | None
    batch: int | None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of something that a resident was told: by which channels it was tried, whether it waits still.

    `left_at` is when the first copy left the town; None while none has.
    """

    channels: frozenset[str]
    waits: bool
    left_at: int | None


_COLUMNS = tuple(getattr(Message, name) for name in Listed.__dataclass_fields__)


def listed(connection: Any, states: Sequence[str], channel: str | None, limit: int) -> list[Listed]:
    """Messages in these states, the oldest first."""
    found = select(*_COLUMNS).where(Message.state.in_(states))
    if channel is not None:
        found = found.where(Message.channel == channel)
    rows = connection.execute(found.order_by(Message.created_at, Message.id).limit(limit))
    return [Listed(*row) for row in rows]


def fate(connection: Any, resident_id: str, name: str, *, since: int) -> Fate:
    """What became of a message to a resident that was written no earlier than `since`, on all its channels together."""
    rows = connection.execute(
        select(Message.channel, Message.state, Message.finished_at).where(
            Message.resident_id == resident_id, Message.name == name, Message.created_at >= since
        )
    ).all()
    return Fate(
        frozenset(row.channel for row in rows),
        any(row.state == "waiting" for row in rows),
        min((row.finished_at for row in rows if row.state == "sent"), default=None),
    )


def counted(connection: Any) -> list[tuple[str, str, int]]:
    """How many messages there are of each channel and state."""
    found = select(Message.channel, Message.state, func.count()).group_by(Message.channel, Message.state)
    return [
        (channel, state, count)
        for channel, state, count in connection.execute(found.order_by(Message.channel, Message.state))
    ]


def retry(connection: Any, message_id: str | None, *, now: int) -> list[str]:
    """Let dead letters (one, or all) be sent again; the ids of those that are worth it still."""
    worth_it = (Message.state == "dead", Message.content.is_not(None), Message.expires_at > now)
    again = {"state": "waiting", "due_at": now, "refusals": 0, "finished_at": None}
    return outgoing.change(connection, Message, message_id, *worth_it, values=again)


def drop(connection: Any, message_id: str | None, *, now: int) -> list[str]:
    """Give up dead letters (one, or all), or one message that waits; the ids of those. Their content is erased."""
    states = ("dead",) if message_id is None else ("dead", "waiting")
    given_up = {"state": "dropped", "content": None, "finished_at": now}
    which = (Message.state.in_(states), Message.batch.is_(None))
    return outgoing.change(connection, Message, message_id, *which, values=given_up)


def empty_for(connection: Any, resident_id: str, *, now: int) -> None:
    """Erase what waits, or could not be sent, for a resident: their account ends, and nothing about them is kept."""
    of_theirs = (Message.resident_id == resident_id, Message.content.is_not(None))
    waiting = (*of_theirs, Message.state == "waiting")
    given_up = {"state": "dropped", "content": None, "finished_at": now}
    outgoing.change(connection, Message, None, *waiting, Message.batch.is_(None), values=given_up)
    outgoing.change(
        connection, Message, None, *of_theirs, Message.state != "waiting", values={"content": None}
    )


def tidy(context: Context, *, now: int) -> None:
    """Erase what dead letters and unprinted letters say once it is out of date, and say how many are stuck."""
    with context.database.transaction() as session:
        session.execute(
            update(Message)
            .where(Message.state == "dead", Message.expires_at <= now, Message.content.is_not(None))
            .values(content=None)
        )
        session.execute(
            update(Message)
            .where(
                Message.channel == "letter",
                Message.state == "waiting",
                Message.expires_at <= now,
                Message.batch.is_(None),
            )
            .values(state="expired", content=None, finished_at=now)
        )
