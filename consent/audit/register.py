"""The register of processing (GDPR Art. 30), from purposes and the notices that were published for them.

One row is one version of one purpose: it begins with the publication of a notice and ends with the next one, or with
the purpose. What was asked for, kept, or handed on at any time can be read off it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from consent import models
from consent.audit.rules import Asking
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consent.executor import Executor

_PURPOSE, _NOTICE = models.table(models.Purpose), models.table(models.Notice)
_ROWS = (
    select(
        _PURPOSE.c.client_id,
        _PURPOSE.c.key,
        _PURPOSE.c.basis,
        _PURPOSE.c.required_claims,
        _PURPOSE.c.optional_claims,
        _PURPOSE.c.retention_for,
        _PURPOSE.c.minimum_level,
        _PURPOSE.c.ended_at,
        _NOTICE,
    )
    .join_from(_PURPOSE, _NOTICE, _NOTICE.c.purpose_id == _PURPOSE.c.id)
    .order_by(_PURPOSE.c.client_id, _PURPOSE.c.created_at, _PURPOSE.c.id, _NOTICE.c.version, _NOTICE.c.id)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the register, in one language. ``until`` is None while it is in force."""

    purpose_id: str
    client_id: str
    key: str
    basis: str
    claims: tuple[str, ...]
    retention_for: int | None
    minimum_level: str
    version: int
    title: str
    why: str
    retention_text: str
    recipients: str
    notice_hash: bytes
    language: str
    processing: Mapping[str, Any]
    since: int
    until: int | None


def entries(connection: Executor, language: str, fallback: str) -> list[Entry]:
    """Every row of the register, by client and purpose, oldest version first."""
    versions: dict[tuple[str, int], Any] = {}
    for row in connection.execute(_ROWS, {}):
        key = (row.purpose_id, row.version)
        if key not in versions or _rank(row, language, fallback) > _rank(versions[key], language, fallback):
            versions[key] = row
    rows = list(versions.values())
    following = [*rows[1:], None]
    return [_entry(row, after) for row, after in zip(rows, following, strict=True)]


def askings(every: Iterable[Entry]) -> list[Asking]:
    """What is asked for now, to be compared: the version in force of every purpose that has not ended."""
    return [
        Asking(one.purpose_id, one.client_id, one.basis, one.claims) for one in every if one.until is None
    ]


def notice_named(connection: Executor, unverified_prefix: str) -> bytes | None:
    """The hash of the one notice whose hash, in hex, begins so; None where there is none, or more than one."""
    wanted = unverified_prefix.strip().lower()
    hashes = connection.execute(select(_NOTICE.c.body_hash), {})
    found = [row.body_hash for row in hashes if row.body_hash.hex().startswith(wanted)]
    return found[0] if len(found) == 1 and wanted else None


def _rank(row: Any, language: str, fallback: str) -> int:
    return {fallback: 1, language: 2}.get(row.language, 0)


def _entry(row: Any, following: Any) -> Entry:
    is_last = following is None or following.purpose_id != row.purpose_id
    terms = orjson.loads(row.terms) if row.terms else {}
    return Entry(
        row.purpose_id,
        row.client_id,
        row.key,
        row.basis,
        (*_claims(terms, row, "required_claims"), *_claims(terms, row, "optional_claims")),
        terms.get("retention_for", row.retention_for),
        row.minimum_level,
        row.version,
        row.title,
        row.why,
        row.retention_text,
        row.recipients,
        row.body_hash,
        row.language,
        orjson.loads(row.processing) if row.processing else {},
        row.published_at,
        row.ended_at if is_last else following.published_at,
    )


def _claims(terms: Mapping[str, Any], row: Any, name: str) -> tuple[str, ...]:
    """The claims as of this version; those of the purpose, where the notice names none of its own."""
    found = terms.get(name)
    return names(getattr(row, name)) if found is None else tuple(found)
