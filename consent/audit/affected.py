"""Whom an incident at a client concerns: those about whom it was handed data in that time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from consent import models
from consent.canonical import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consent.executor import Executor

_RELEASE = models.table(models.Release)
_HANDED = (
    _RELEASE.c.client_id == bindparam("client_id"),
    _RELEASE.c.at >= bindparam("since"),
    _RELEASE.c.at < bindparam("until"),
)
# Incidents are rare and releases are written all the time: no index is kept for them, the table is read once.
_BY_PERSON = (
    select(_RELEASE.c.resident_id, _RELEASE.c.claims, func.max(_RELEASE.c.at).label("at"))
    .where(*_HANDED)
    .group_by(_RELEASE.c.resident_id, _RELEASE.c.claims)
    .order_by(_RELEASE.c.resident_id)
)


_ACT = models.table(models.Act)
_TOLD = select(_ACT.c.resident_id).where(
    _ACT.c.kind == bindparam("kind"),
    _ACT.c.details.like(bindparam("begins")),
    _ACT.c.resident_id.is_not(None),
)
_REPORTS = select(_ACT.c.at).where(_ACT.c.kind == bindparam("kind"), _ACT.c.details.like(bindparam("begins")))


@dataclass(frozen=True, slots=True)
class Affected:
    """One person, the claims that were handed over, and the last time it happened."""

    resident_id: str
    claims: tuple[str, ...]
    last_at: int


@dataclass(frozen=True, slots=True)
class Extent:
    """How many people an incident concerns, and how many for each claim; releases without data count as no claim."""

    people: int
    by_claim: dict[str, int]


def people(connection: Executor, client_id: str, since: int, until: int) -> Iterator[Affected]:
    """Everyone about whom the client was handed data from ``since`` to ``until``, which is excluded; by id."""
    period = {"client_id": client_id, "since": since, "until": until}
    person: Affected | None = None
    for row in connection.execute(_BY_PERSON, period):
        if person is not None and person.resident_id != row.resident_id:
            yield person
            person = None
        person = _with(person, row)
    if person is not None:
        yield person


def extent(connection: Executor, client_id: str, since: int, until: int) -> Extent:
    """How many people are concerned, in all and for each claim."""
    number, by_claim = 0, Counter[str]()
    for person in people(connection, client_id, since, until):
        number += 1
        by_claim.update(person.claims)
    return Extent(number, dict(by_claim.most_common()))


def told(connection: Executor, kind: str, incident: int) -> set[str]:
    """Whom an act of this kind already told of an incident; its details name the incident."""
    rows = connection.execute(_TOLD, {"kind": kind, "begins": f'%"incident":{incident},%'})
    return {row.resident_id for row in rows}


def reported_at(connection: Executor, kind: str, incident: int) -> int | None:
    """When an act of this kind said that the authority was told; None while none did."""
    rows = connection.execute(_REPORTS, {"kind": kind, "begins": f'%"incident":{incident},%'})
    return min((int(row.at) for row in rows), default=None)


def _with(person: Affected | None, row: Any) -> Affected:
    before = person.claims if person else ()
    claims = tuple(dict.fromkeys([*before, *names(row.claims)]))
    return Affected(row.resident_id, claims, max(row.at, person.last_at if person else 0))
