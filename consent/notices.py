"""The notices of purposes, as they were published: read back, and how their digest is made."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, func, select

from consent import facts, models
from consent.canonical import canonical, to_text
from consent.executor import Executor
from consent.facts import Asked, Change, Processing

_NOTICE = models.table(models.Notice)
_TEXT: Final = ("title", "why", "retention_text", "recipients")
_OTHER = _NOTICE.alias()
_NEWEST = select(func.max(_OTHER.c.version))
_VERSIONS = (
    select(_NOTICE.c.version, _NOTICE.c.material, _NOTICE.c.language, _NOTICE.c.published_at)
    .where(_NOTICE.c.purpose_id == bindparam("purpose_id"))
    .order_by(_NOTICE.c.version, _NOTICE.c.language)
)
_ALL_NOTICES = (
    select(_NOTICE)
    .where(_NOTICE.c.purpose_id.in_(bindparam("purpose_ids", expanding=True)))
    .order_by(_NOTICE.c.language)
)
_NOTICES_FOR = _ALL_NOTICES.where(
    _NOTICE.c.version == _NEWEST.where(_OTHER.c.purpose_id == _NOTICE.c.purpose_id).scalar_subquery()
)
_BY_HASH = select(_NOTICE).where(_NOTICE.c.body_hash == bindparam("body_hash"))


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The words of a notice in one language."""

    title: str
    why: str
    retention_text: str
    recipients: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A published notice; ``body_hash`` (32 bytes) names exactly these words, version and language."""

    purpose_id: str
    version: int
    language: str
    material: bool
    text: NoticeText
    body_hash: bytes
    published_at: int
    processing: Processing = facts.NOTHING_SAID
    asked: Asked | None = None
    """The data and times of this version; None for one that was published before versions had their own."""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a notice over all its languages; in force until ``until``, None while it is the newest."""

    version: int
    material: bool
    languages: tuple[str, ...]
    published_at: int
    until: int | None


def versions(connection: Executor, purpose_id: str) -> tuple[Published, ...]:
    """Every version of a purpose's notice, oldest first."""
    found: list[Published] = []
    for row in connection.execute(_VERSIONS, {"purpose_id": purpose_id}):
        if found and found[-1].version == row.version:
            found[-1] = dataclasses.replace(found[-1], languages=(*found[-1].languages, row.language))
            continue
        if found:
            found[-1] = dataclasses.replace(found[-1], until=row.published_at)
        found.append(Published(row.version, row.material, (row.language,), row.published_at, None))
    return tuple(found)


def newest(connection: Executor, purpose_id: str) -> dict[str, Notice]:
    """The notice in force in every language it has; empty when there is none yet."""
    rows = connection.execute(_NOTICES_FOR, {"purpose_ids": [purpose_id]}).mappings()
    return {one.language: one for one in map(as_notice, rows)}


def notices_for(
    connection: Executor, purpose_ids: Iterable[str], language: str, fallback: str
) -> dict[str, Notice]:
    """The newest notice of each purpose: in ``language``, else in ``fallback``, else in the first there is."""
    rows = connection.execute(_NOTICES_FOR, {"purpose_ids": list(purpose_ids)}).mappings()
    return _best(map(as_notice, rows), language, fallback)


def notices_at(
    connection: Executor, versions: Mapping[str, int], language: str, fallback: str
) -> dict[str, Notice]:
    """The notice of each purpose in the version given, in the language chosen as by :func:`notices_for`."""
    rows = connection.execute(_ALL_NOTICES, {"purpose_ids": list(versions)}).mappings()
    notices = map(as_notice, rows)
    return _best((one for one in notices if one.version == versions[one.purpose_id]), language, fallback)


def notice_by_hash(connection: Executor, body_hash: bytes) -> Notice | None:
    """The exact notice that a record names; None if there is none."""
    row = connection.execute(_BY_HASH, {"body_hash": body_hash}).mappings().first()
    return None if row is None else as_notice(row)


def _best(notices: Iterable[Notice], language: str, fallback: str) -> dict[str, Notice]:
    rank = {fallback: 1, language: 2}
    chosen: dict[str, Notice] = {}
    for notice in notices:
        before = chosen.get(notice.purpose_id)
        if before is None or rank.get(notice.language, 0) > rank.get(before.language, 0):
            chosen[notice.purpose_id] = notice
    return chosen


def more_columns(
    processing: Processing | None, asked: Asked | None, changes: Sequence[Change]
) -> dict[str, str | None]:
    """The columns that came later, as JSON texts."""
    return {
        "terms": None if asked is None else to_text(facts.to_json(asked)),
        "processing": None if processing is None else to_text(facts.to_json(processing)),
        "changes": to_text([facts.to_json(one) for one in changes]) if changes else None,
    }


def notice_values(
    purpose_id: str, version: int, language: str, text: NoticeText, more: Mapping[str, str | None]
) -> dict[str, Any]:
    """A notice's row but for its name and time. The digest is over all it says; what it doesn't say is left out."""
    words = {name: getattr(text, name) for name in _TEXT}
    said = {"purpose_id": purpose_id, "version": version, "language": language, **words}
    there = {name: value for name, value in more.items() if value is not None}
    return {**said, **more, "body_hash": hashlib.sha256(canonical({**said, **there})).digest()}


def body_hash_of(notice: Notice) -> bytes:
    """The digest of what a notice says, computed anew from its parts: equal to ``body_hash`` unless it was changed."""
    given = None if notice.processing == facts.NOTHING_SAID else notice.processing
    more = more_columns(given, notice.asked, notice.changes)
    values = notice_values(notice.purpose_id, notice.version, notice.language, notice.text, more)
    digest: bytes = values["body_hash"]
    return digest


def as_notice(row: Mapping[str, Any]) -> Notice:
    """A notice from its row, or from the values of it."""
    return Notice(
        row["purpose_id"],
        row["version"],
        row["language"],
        row["material"],
        NoticeText(*(row[name] for name in _TEXT)),
        row["body_hash"],
        row["published_at"],
        facts.processing_from(_loaded(row["processing"])),
        None if row["terms"] is None else facts.asked_from(orjson.loads(row["terms"])),
        facts.changes_from(_loaded(row["changes"]) or ()),
    )


def _loaded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
