"""How often people agreed, refused and withdrew, by service and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from consent import models
from consent.audit.rules import KIND_OF

if TYPE_CHECKING:
    from consent.executor import Executor

_RECORD = models.table(models.Record)
_DAY = _RECORD.c.at // 86_400
_CHOICES = tuple(sorted(KIND_OF))
_PERIOD = (
    _RECORD.c.event.in_(_CHOICES),
    _RECORD.c.at >= bindparam("since"),
    _RECORD.c.at < bindparam("until"),
)
_OF_CLIENT = (
    select(_RECORD.c.event, _DAY.label("day"), func.count().label("number"))
    .where(_RECORD.c.client_id == bindparam("client_id"), *_PERIOD)
    .group_by(_RECORD.c.event, _DAY)
)
_BY_CLIENT = (
    select(_RECORD.c.client_id, _RECORD.c.event, func.count().label("number"))
    .where(*_PERIOD)
    .group_by(_RECORD.c.client_id, _RECORD.c.event)
)


def of_client(connection: Executor, client_id: str, since: int, until: int) -> list[tuple[str, int, int]]:
    """Event, day since 1970 (UTC), and how many, for one client; ``until`` is excluded."""
    rows = connection.execute(_OF_CLIENT, {"client_id": client_id, "since": since, "until": until})
    return [(row.event, int(row.day), row.number) for row in rows]


def by_client(connection: Executor, since: int, until: int) -> dict[str, dict[str, int]]:
    """How many agreed, refused and withdrew, by client."""
    totals: dict[str, dict[str, int]] = {}
    for row in connection.execute(_BY_CLIENT, {"since": since, "until": until}):
        of = totals.setdefault(row.client_id, dict.fromkeys(KIND_OF.values(), 0))
        of[KIND_OF[row.event]] += row.number
    return totals
