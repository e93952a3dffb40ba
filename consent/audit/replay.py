"""What somebody had agreed to at an instant, and the page on which they did, from what is stored alone."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import bindparam, func, select

from consent import models, notices, records, rules
from consent.audit import search
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consent.audit.search import Found
    from consent.executor import Executor
    from consent.notices import Notice

_RECORD, _NOTICE = models.table(models.Record), models.table(models.Notice)
_RELEASE, _PURPOSE = models.table(models.Release), models.table(models.Purpose)
_MORE = ("terms", "processing", "changes")
_UNTIL = records.EVENTS.where(
    _RECORD.c.resident_id == bindparam("resident_id"), _RECORD.c.at < bindparam("until")
).order_by(_RECORD.c.id)
_TOGETHER = (
    select(_RECORD.c.id)
    .where(
        _RECORD.c.resident_id == bindparam("resident_id"),
        _RECORD.c.client_id == bindparam("client_id"),
        _RECORD.c.at == bindparam("at"),
        _RECORD.c.control == bindparam("control"),
    )
    .order_by(_RECORD.c.id)
)
_NEXT = (
    select(_RECORD.c.at)
    .where(
        _RECORD.c.resident_id == bindparam("resident_id"),
        _RECORD.c.client_id == bindparam("client_id"),
        _RECORD.c.purpose_id == bindparam("purpose_id"),
        _RECORD.c.event.not_in(rules.UNDECIDED),
        _RECORD.c.id > bindparam("record_id"),
    )
    .order_by(_RECORD.c.id)
    .limit(1)
)
_RELIED: Any = (
    select(
        _RELEASE.c.client_id,
        func.count().label("number"),
        func.min(_RELEASE.c.at).label("first_at"),
        func.max(_RELEASE.c.at).label("last_at"),
    )
    .where(
        _RELEASE.c.resident_id == bindparam("resident_id"),
        _RELEASE.c.at >= bindparam("since"),
        _RELEASE.c.at <= bindparam("until"),
        _RELEASE.c.purpose_ids.like(bindparam("holds"), escape="/"),
    )
    .group_by(_RELEASE.c.client_id)
    .order_by(_RELEASE.c.client_id)
)
_TERMS = (
    select(_PURPOSE.c.basis, _PURPOSE.c.required_claims, *(_NOTICE.c[name] for name in _MORE))
    .join_from(_PURPOSE, _NOTICE, _NOTICE.c.body_hash == bindparam("notice_hash"), isouter=True)
    .where(_PURPOSE.c.id == bindparam("purpose_id"))
)
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Stood:
    """Where a person stood with one purpose at an instant, and the record that says so."""

    record_id: int
    client_id: str
    choice: rules.Choice


@dataclass(frozen=True, slots=True)
class Section:
    """One purpose of a page that was seen: the stored notice, whether its hash still fits, and what was answered.

    ``required`` are the claims offered that could not be left out.
    ``notice`` is None where the notice is gone; then nothing was rebuilt, and nothing matches.
    """

    record: Found
    basis: str
    required: tuple[str, ...]
    notice: Notice | None
    recomputed_hash: bytes

    @property
    def matches(self) -> bool:
        """Whether the stored words make the very hash that the record of the choice names."""
        return hmac.compare_digest(self.recomputed_hash, self.record.notice_hash)


@dataclass(frozen=True, slots=True)
class Relied:
    """A client that received data on the strength of a choice: how often, and between which instants."""

    client_id: str
    number: int
    first_at: int
    last_at: int


def as_of(connection: Executor, resident_id: str, until: int) -> list[Stood]:
    """Where a person stood with every purpose just before ``until``, oldest service first."""
    events: dict[str, list[rules.Event]] = {}
    deciding: dict[str, tuple[int, str]] = {}
    for row in connection.execute(_UNTIL, {"resident_id": resident_id, "until": until}):
        events.setdefault(row.client_id, []).append(records.event_of(row))
        if row.event not in rules.UNDECIDED:
            deciding[row.purpose_id] = (row.id, row.client_id)
    stood = [
        Stood(*deciding[purpose_id], choice)
        for history in events.values()
        for purpose_id, choice in rules.current_state(history, until - 1).items()
    ]
    return sorted(stood, key=lambda one: (one.client_id, one.record_id))


def page_of(connection: Executor, record: Found) -> list[Section]:
    """The page on which a choice was made: every purpose that was answered with the same press of the button."""
    where = {name: getattr(record, name) for name in ("resident_id", "client_id", "at", "control")}
    ids = [row.id for row in connection.execute(_TOGETHER, where)]
    found = [search.by_id(connection, one) for one in ids]
    return [_section(connection, one) for one in found if one is not None]


def relied_on(connection: Executor, record: Found) -> Sequence[Relied]:
    """Every client that received data on the strength of a choice, until a later choice took its place."""
    wanted = {name: getattr(record, name) for name in ("resident_id", "client_id", "purpose_id")}
    end = connection.execute(_NEXT, {**wanted, "record_id": record.id}).scalar()
    period = {
        "resident_id": record.resident_id,
        "since": record.at,
        "until": _FOREVER if end is None else end,
        "holds": f'%"{_escaped(record.purpose_id)}"%',
    }
    rows = connection.execute(_RELIED, period)
    return [Relied(row.client_id, row.number, row.first_at, row.last_at) for row in rows]


def _section(connection: Executor, record: Found) -> Section:
    notice = notices.notice_by_hash(connection, record.notice_hash)
    where = {"purpose_id": record.purpose_id, "notice_hash": record.notice_hash}
    row = connection.execute(_TERMS, where).first()
    terms = orjson.loads(row.terms) if row and row.terms else {}
    needed = terms.get("required_claims") or (names(row.required_claims) if row else ())
    required = tuple(claim for claim in record.claims_offered if claim in needed)
    recomputed = b"" if notice is None else _recomputed(notice, row)
    return Section(record, row.basis if row else "", required, notice, recomputed)


def _recomputed(notice: Notice, row: Any) -> bytes:
    """The digest over the very characters that are stored, as it was made when the notice was published."""
    more = {name: getattr(row, name) for name in _MORE} if row else {}
    values = notices.notice_values(notice.purpose_id, notice.version, notice.language, notice.text, more)
    digest: bytes = values["body_hash"]
    return digest


def _escaped(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")
