"""Everything on record about one person, in one list: choices, releases, look-ups and acts, newest first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import or_, select

from consent import models
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, Table

    from consent.executor import Executor

EVENT, RELEASE, LOOKUP, ACT = "event", "release", "lookup", "act"
SOURCES: Final = (EVENT, RELEASE, LOOKUP, ACT)
NEWEST: Final = 2**63 - 1
_TABLES: Final[Mapping[str, Table]] = {
    EVENT: models.table(models.Record),
    RELEASE: models.table(models.Release),
    LOOKUP: models.table(models.Lookup),
    ACT: models.table(models.Act),
}
_NOTICE = models.table(models.Notice)
_BATCH: Final = 500
_LISTS = frozenset({"claims_offered", "claims_chosen", "claims", "purpose_ids"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; ``values`` are the columns of its row, lists and objects read."""

    source: str
    id: int
    at: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """Whose timeline, and whether it is narrowed to one client or one purpose of it.

    Look-ups concern the whole person and stay in every list; so do acts that name no client.
    """

    resident_id: str
    client_id: str | None = None
    purpose_id: str | None = None


Cursor = dict[str, int]
"""For each source the id before which its list goes on."""
START: Final[Mapping[str, int]] = dict.fromkeys(SOURCES, NEWEST)


def page(
    connection: Executor, about: About, before: Mapping[str, int] = START, limit: int = 50
) -> tuple[list[Line], Cursor | None]:
    """A page of the timeline, newest first, and where it goes on; None at its end.

    Each source keeps the order of its ids, so that a clock that was set back hides nothing between two pages.
    """
    lists = [_newest(connection, about, source, before[source], limit + 1) for source in SOURCES]
    merged = list(heapq.merge(*lists, key=lambda line: -line.at))
    shown = merged[:limit]
    if len(merged) <= limit:
        return shown, None
    onward = dict(before)
    for line in shown:
        onward[line.source] = line.id
    return shown, onward


def every(connection: Executor, about: About) -> Iterator[Line]:
    """The whole timeline, newest first, a batch in memory at a time."""
    before: Mapping[str, int] | None = START
    while before is not None:
        shown, before = page(connection, about, before, _BATCH)
        yield from shown


def _newest(connection: Executor, about: About, source: str, before_id: int, limit: int) -> list[Line]:
    core = _TABLES[source]
    wanted = (
        select(core)
        .where(core.c.resident_id == about.resident_id, core.c.id < before_id, *_narrowed(about, source))
        .order_by(core.c.id.desc())
        .limit(limit)
    )
    if source == EVENT:
        picked = wanted.subquery()
        wanted = (
            select(picked, _NOTICE.c.version.label("notice_version"), _NOTICE.c.title.label("notice_title"))
            .join_from(picked, _NOTICE, _NOTICE.c.body_hash == picked.c.notice_hash, isouter=True)
            .order_by(picked.c.id.desc())
        )
    return [_line(source, row) for row in connection.execute(wanted, {}).mappings()]


def _narrowed(about: About, source: str) -> list[ColumnElement[bool]]:
    core, narrowed = _TABLES[source], []
    if about.client_id is not None and source in (EVENT, RELEASE):
        narrowed.append(core.c.client_id == about.client_id)
    if about.client_id is not None and source == ACT:
        narrowed.append(or_(core.c.client_id.is_(None), core.c.client_id == about.client_id))
    if about.purpose_id is not None and source == EVENT:
        narrowed.append(core.c.purpose_id == about.purpose_id)
    if about.purpose_id is not None and source == RELEASE:
        narrowed.append(core.c.purpose_ids.contains(f'"{about.purpose_id}"', autoescape=True))
    return narrowed


def _line(source: str, row: Mapping[str, Any]) -> Line:
    values = dict(row)
    for name in _LISTS & values.keys():
        values[name] = names(values[name])
    for name in ("details", "authentication"):
        if name in values:
            values[name] = orjson.loads(values[name])
    return Line(source, values["id"], values["at"], values)
