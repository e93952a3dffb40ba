"""Search over every record, newest first, by cursor.

No question reads the whole table, however large it is. What one may search by leads an index of its own, one
(column, event, at, id) each; where no event was named, the question is put once for each event, and the answers are
merged. What no index knows (the level, and whether a record still stands) is looked for within so many of the newest
records; the page then says how far it looked, and goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, func, select, true, tuple_, union_all

from consent import models, rules
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Select

    from consent.executor import Executor

EVENTS: Final = models.EVENTS
_RECORD, _NOTICE = models.table(models.Record), models.table(models.Notice)
_PURPOSE = models.table(models.Purpose)
#: So many records one page looks through for what no index knows.
WINDOW: Final = 4000
_BATCH: Final = 1000


class Position(NamedTuple):
    """A place in the order of records: an instant, and the id among those of that instant."""

    at: int
    id: int


NEWEST: Final = Position(2**62, 2**62)
"""A position after everything: the first page goes on from here."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; what is None does not matter.

    ``since`` and ``until`` are Unix seconds, ``until`` itself excluded. ``level`` is the acr of the sign-in at which
    the choice was expressed. ``standing`` leaves out what a later record of the same person and purpose replaced, and
    whatever was said of a purpose that has ended.
    """

    resident_id: str | None = None
    client_id: str | None = None
    purpose_id: str | None = None
    notice_hash: bytes | None = None
    event: str | None = None
    level: str | None = None
    since: int | None = None
    until: int | None = None
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One record as it is listed; whose it is, is for the caller to hide."""

    id: int
    uid: bytes
    resident_id: str
    client_id: str
    purpose_id: str
    event: str
    claims_offered: tuple[str, ...]
    claims_chosen: tuple[str, ...]
    notice_hash: bytes
    notice_version: int
    notice_title: str
    language: str
    control: str
    authentication: str
    actor: str
    at: int

    @property
    def position(self) -> Position:
        """Where it stands; the next page goes on behind it."""
        return Position(self.at, self.id)


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; ``onward`` is where the search goes on, None at its end.

    ``looked_back_to`` is set where the page ended before it was full, because so many records had been looked through.
    """

    found: tuple[Found, ...]
    onward: Position | None
    looked_back_to: int | None = None


def search(connection: Executor, query: Query, before: Position = NEWEST, limit: int = 50) -> Page:
    """A page of what is found; go on with ``onward`` as ``before``."""
    if _is_indexed(query):
        rows = connection.execute(statement(query, before, limit + 1), {}).all()
        found = tuple(map(_found, rows[:limit]))
        return Page(found, found[-1].position if len(rows) > limit else None)
    return _within_window(connection, query, before, limit)


def every(connection: Executor, query: Query) -> Iterator[Found]:
    """All that is found, newest first, a batch in memory at a time."""
    before: Position | None = NEWEST
    while before is not None:
        page = search(connection, query, before, _BATCH)
        yield from page.found
        before = page.onward


def by_id(connection: Executor, record_id: int) -> Found | None:
    """One record; None if there is none."""
    core = select(_RECORD).where(_RECORD.c.id == record_id).subquery()
    row = connection.execute(_named(core), {}).first()
    return None if row is None else _found(row)


def statement(query: Query, before: Position, limit: int) -> Select[Any]:
    """The question for one page, but for what no index knows."""
    return _named(_candidates(query, before, limit).subquery())


def _is_indexed(query: Query) -> bool:
    """Whether indexes alone answer it; a person's own records are few enough to be read one by one."""
    return query.resident_id is not None or (query.level is None and not query.standing)


def _within_window(connection: Executor, query: Query, before: Position, limit: int) -> Page:
    looked = _candidates(query, before, WINDOW).subquery()
    fitting = select(looked).where(_residual(query, looked)).order_by(looked.c.at.desc(), looked.c.id.desc())
    rows = connection.execute(_named(fitting.limit(limit + 1).subquery()), {}).all()
    found = tuple(map(_found, rows[:limit]))
    if len(rows) > limit:
        return Page(found, found[-1].position)
    last = select(looked.c.at, looked.c.id, func.count().over().label("looked"))
    end = connection.execute(last.order_by(looked.c.at, looked.c.id).limit(1), {}).first()
    if end is None or end.looked < WINDOW:
        return Page(found, None)
    return Page(found, Position(end.at, end.id), end.at)


def _candidates(query: Query, before: Position, limit: int) -> Select[Any]:
    """The newest records before a position that fit what an index knows."""
    if query.resident_id is not None:
        fitting = [_RECORD.c.resident_id == query.resident_id, *_led(query), *_timed(query, before)]
        if query.event is not None:
            fitting.append(_RECORD.c.event == query.event)
        fitting.append(_residual(query, _RECORD))
        return _newest(_RECORD, and_(*fitting), limit)
    led = _led(query)[:1]  # the narrowest alone leads the index; the others follow from it, or nothing fits
    rest = [*_led(query)[1:], *_timed(query, before)]
    if not led and query.event is None:
        return _newest(_RECORD, and_(true(), *rest), limit)
    events = models.EVENTS if query.event is None else (query.event,)
    parts = [_newest(_RECORD, and_(*led, _RECORD.c.event == one, *rest), limit) for one in events]
    if len(parts) == 1:
        return parts[0]
    together = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return _newest(together, true(), limit)


def _newest(source: Any, fitting: ColumnElement[bool], limit: int) -> Select[Any]:
    return select(source).where(fitting).order_by(source.c.at.desc(), source.c.id.desc()).limit(limit)


def _led(query: Query) -> list[ColumnElement[bool]]:
    """By notice, purpose and client, the narrowest first."""
    wanted = ((_RECORD.c.notice_hash, query.notice_hash), (_RECORD.c.purpose_id, query.purpose_id))
    return [
        column == value
        for column, value in (*wanted, (_RECORD.c.client_id, query.client_id))
        if value is not None
    ]


def _timed(query: Query, before: Position) -> list[ColumnElement[bool]]:
    # One upper bound alone: of two, SQLite would walk down from whichever it met first.
    if query.until is not None and query.until <= before.at:
        timed: list[ColumnElement[bool]] = [_RECORD.c.at < query.until]
    else:
        timed = [_RECORD.c.at <= before.at, tuple_(_RECORD.c.at, _RECORD.c.id) < tuple_(before.at, before.id)]
    if query.since is not None:
        timed.append(_RECORD.c.at >= query.since)
    return timed


def _residual(query: Query, source: Any) -> ColumnElement[bool]:
    """What no index knows."""
    fitting: list[ColumnElement[bool]] = [true()]
    if query.level is not None:
        # Canonical JSON: one way to write it (`consent.canonical`).
        fitting.append(source.c.authentication.contains(f'"acr":"{query.level}"', autoescape=True))
    if query.standing:
        later = _RECORD.alias("later")
        replaced = (
            select(later.c.id)
            .where(
                later.c.resident_id == source.c.resident_id,
                later.c.client_id == source.c.client_id,
                later.c.purpose_id == source.c.purpose_id,
                later.c.event.not_in(rules.UNDECIDED),
                later.c.id > source.c.id,
            )
            .exists()
        )
        ended = select(_PURPOSE.c.id).where(_PURPOSE.c.ended_at.is_not(None))
        fitting += [
            source.c.event.not_in(rules.UNDECIDED),
            ~replaced,
            source.c.purpose_id.not_in(ended),
        ]
    return and_(*fitting)


def _named(found: Any) -> Select[Any]:
    """With the version and title of each record's notice, in the same order."""
    return (
        select(found, _NOTICE.c.version.label("notice_version"), _NOTICE.c.title.label("notice_title"))
        .join_from(found, _NOTICE, _NOTICE.c.body_hash == found.c.notice_hash, isouter=True)
        .order_by(found.c.at.desc(), found.c.id.desc())
    )


def _found(row: Any) -> Found:
    return Found(
        row.id,
        row.uid,
        row.resident_id,
        row.client_id,
        row.purpose_id,
        row.event,
        names(row.claims_offered),
        names(row.claims_chosen),
        row.notice_hash,
        row.notice_version or 0,
        row.notice_title or "",
        row.language,
        row.control,
        row.authentication,
        row.actor,
        row.at,
    )
