"""What was actually handed to a client: the names of claims, never their values.

:func:`record` runs in every token, userinfo and introspection answer that carries data. It is two inserts
built once, with plain values, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select

from consent import log, models
from consent.canonical import names, to_text
from consent.executor import Executor
from consent.log.entries import INSERT_ENTRY, entry_values
from consent.log.sources import RELEASE

_RELEASE = models.table(models.Release)
_COLUMNS = ("resident_id", "client_id", "kind", "claims", "purpose_ids", "authorization_id", "at")
INSERT_RELEASE = (
    insert(_RELEASE)
    .values({name: bindparam(name) for name in ("uid", *_COLUMNS)})
    .inline()
    .execution_options(denizen_quiet=True)
)

_BEFORE = _RELEASE.c.id < bindparam("before_id")
_OF_RESIDENT = select(_RELEASE).where(_RELEASE.c.resident_id == bindparam("resident_id"))
_PAGE: Select[Any] = _OF_RESIDENT.where(_BEFORE).order_by(_RELEASE.c.id.desc()).limit(bindparam("limit"))
_PAGE_OF_CLIENT = _PAGE.where(_RELEASE.c.client_id == bindparam("client_id"))
# The last one of each client is found in the index alone, and only those rows are read.
_NEWEST = (
    select(func.max(_RELEASE.c.id).label("id"))
    .where(_RELEASE.c.resident_id == bindparam("resident_id"))
    .group_by(_RELEASE.c.client_id)
    .subquery()
)
_LAST = select(_RELEASE.c.client_id, _RELEASE.c.at).join(_NEWEST, _NEWEST.c.id == _RELEASE.c.id)
_LAST_BY_LIST = (
    select(_RELEASE.c.claims, func.max(_RELEASE.c.at).label("at"))
    .where(_RELEASE.c.resident_id == bindparam("resident_id"), _RELEASE.c.client_id == bindparam("client_id"))
    .group_by(_RELEASE.c.claims)
)
NEWEST = 2**63 - 1
"""A ``before_id`` that lies before nothing: the first page."""


@dataclass(frozen=True, slots=True)
class Release:
    """One hand-over: to whom, in which answer, which claims, for which purposes."""

    id: int
    client_id: str
    kind: str
    claims: tuple[str, ...]
    purpose_ids: tuple[str, ...]
    at: int


def record(
    connection: Executor,
    *,
    log_key: bytes,
    resident_id: str,
    client_id: str,
    kind: str,
    claims: Sequence[str],
    purpose_ids: Sequence[str],
    authorization_id: str,
    now: int,
) -> None:
    """Record a release and its log entry. ``log_key`` is the resident's, 32 bytes; ``kind`` the answer's.

    ``kind`` is one of :data:`consent.models.RELEASE_KINDS`, and the database refuses any other.
    """
    uid = log.new_uid(now)
    values = {
        "resident_id": resident_id,
        "client_id": client_id,
        "kind": kind,
        "claims": to_text(list(claims)),
        "purpose_ids": to_text(list(purpose_ids)),
        "authorization_id": authorization_id,
        "at": now,
    }
    entry = entry_values(
        kind=RELEASE, subject_key=log_key, record=values, ref=("consent_release", uid), now=now
    )
    connection.execute(INSERT_RELEASE, {"uid": uid, **values})
    connection.execute(INSERT_ENTRY, entry)


def list_for(
    connection: Executor,
    resident_id: str,
    client_id: str | None = None,
    before_id: int = NEWEST,
    limit: int = 50,
) -> list[Release]:
    """A page of a resident's releases, newest first; go on with the last one's ``id`` as ``before_id``."""
    page = {"resident_id": resident_id, "before_id": before_id, "limit": limit}
    if client_id is None:
        rows = connection.execute(_PAGE, page)
    else:
        rows = connection.execute(_PAGE_OF_CLIENT, {**page, "client_id": client_id})
    return [
        Release(row.id, row.client_id, row.kind, names(row.claims), names(row.purpose_ids), row.at)
        for row in rows
    ]


def last_by_client(connection: Executor, resident_id: str) -> dict[str, int]:
    """When each client last received something about the resident, in Unix seconds."""
    return {row.client_id: row.at for row in connection.execute(_LAST, {"resident_id": resident_id})}


def last_by_claim(connection: Executor, resident_id: str, client_id: str) -> dict[str, int]:
    """When the client last received each claim about the resident, in Unix seconds."""
    last: dict[str, int] = {}
    # A client receives few different lists of claims, however often: the database folds them first.
    for row in connection.execute(_LAST_BY_LIST, {"resident_id": resident_id, "client_id": client_id}):
        for claim in names(row.claims):
            last[claim] = max(row.at, last.get(claim, 0))
    return last
