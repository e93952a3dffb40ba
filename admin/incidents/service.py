"""Incidents as acts: recorded, told, reported."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import text as sql

from consent import acts, lookups
from consent.audit import affected
from consent.audit.rules import report_due_at
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.messaging.service import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from admin.staff.sessions import StaffMember
    from consent.acts import Act
    from consent.audit.affected import Affected
    from idp.web.context import Context

OPENED, NOTIFIED, REPORTED = "breach_opened", "breach_notified", "breach_reported"
MESSAGE = "incident"
#: So many people are told by one press of the button, and so many of them in one transaction.
AT_ONCE = 1000
_BATCH = 50
#: PostgreSQL: the lock under which one press at a time tells people of incidents; any number that is ours alone.
_TELLING = 7_202_633


@dataclass(frozen=True, slots=True)
class Incident:
    """What is on record of an incident; ``people`` and ``by_claim`` as they were counted when it was recorded."""

    number: int
    client_id: str
    since: int
    until: int
    aware_at: int
    what: str
    people: int
    by_claim: Mapping[str, int]
    at: int

    @property
    def due_at(self) -> int:
        """When the authority must have been told."""
        return report_due_at(self.aware_at)


def open_incident(
    session: Session,
    ctx: Context,
    staff: StaffMember,
    *,
    client_id: str,
    since: int,
    until: int,
    aware_at: int,
    what: str,
    now: int,
) -> None:
    """Record an incident with how many people it concerns; instants are Unix seconds, ``until`` excluded."""
    extent = affected.extent(session, client_id, since, until)
    details = {
        "since": since,
        "until": until,
        "aware_at": aware_at,
        "what": what,
        "people": extent.people,
        "by_claim": extent.by_claim,
    }
    _record(session, ctx, staff, OPENED, client_id=client_id, details=details, now=now)


def incidents(connection: Any, before: int = acts.NEWEST, limit: int = 50) -> list[Incident]:
    """Incidents on record, newest first."""
    return [_incident(one) for one in acts.of_kind(connection, OPENED, before, limit)]


def find(connection: Any, number: int) -> Incident | None:
    """One incident by its number."""
    return next((one for one in incidents(connection, number + 1, 1) if one.number == number), None)


def report(session: Session, ctx: Context, staff: StaffMember, incident: Incident, *, now: int) -> None:
    """Record that the authority was told."""
    details = {"incident": incident.number, "within": now <= incident.due_at}
    _record(session, ctx, staff, REPORTED, client_id=incident.client_id, details=details, now=now)


def tell_affected(ctx: Context, staff: StaffMember, incident: Incident, words: Words, *, now: int) -> int:
    """Tell up to :data:`AT_ONCE` people who were not told yet, by mail, text message and letter; how many were told.

    Each is an act under the person's own key and a look-up that they see on their privacy page, in the transaction
    that puts the message into the outbox. Nobody is told twice, whoever presses the button again meanwhile.
    """
    told = 0
    waiting = iter(_waiting(ctx, incident))
    while batch := list(islice(waiting, _BATCH)):
        with ctx.database.transaction() as session:
            if not ctx.database.is_sqlite:
                session.execute(sql("SELECT pg_advisory_xact_lock(:name)"), {"name": _TELLING})
            known = affected.told(session, NOTIFIED, incident.number)
            for one in batch:
                if one.resident_id not in known and _key(session, ctx, one):
                    _tell_one(session, ctx, staff, incident, one=one, words=words, now=now)
                    told += 1
    return told


def _waiting(ctx: Context, incident: Incident) -> list[Affected]:
    """The first :data:`AT_ONCE` people who were not told when this was asked, and still can be."""
    with ctx.database.reading() as session:
        known = affected.told(session, NOTIFIED, incident.number)
        everyone = affected.people(session, incident.client_id, incident.since, incident.until)
        waiting = (one for one in everyone if one.resident_id not in known and _key(session, ctx, one))
        return list(islice(waiting, AT_ONCE))


@dataclass(frozen=True, slots=True)
class Words:
    """What people are told: the officer's text, the service's name, and how claims read in a language."""

    text: str
    service: str
    reason: str
    claims_in: Callable[[str, tuple[str, ...]], str]


def _tell_one(
    session: Session,
    ctx: Context,
    staff: StaffMember,
    incident: Incident,
    *,
    one: Affected,
    words: Words,
    now: int,
) -> None:
    resident = session.get(Resident, one.resident_id)
    assert resident is not None
    log_key = accounts.log_key(ctx.vault, resident)
    assert log_key is not None
    details = {"incident": incident.number, "claims": list(one.claims), "until": incident.until}
    whose = {"log_key": log_key, "resident_id": one.resident_id, "now": now}
    acts.record(
        session,
        kind=NOTIFIED,
        actor=acts.staff(staff.staff_id),
        client_id=incident.client_id,
        details=details,
        **whose,  # type: ignore[arg-type]
    )
    lookups.record(session, staff_id=staff.staff_id, staff_role=staff.role, reason=words.reason, **whose)  # type: ignore[arg-type]
    values = {
        "service": words.service,
        "text": words.text,
        "data": words.claims_in(resident.language, one.claims),
        "since_at": incident.since,
        "until_at": incident.until - 1,
        "not_me_url": "",
    }
    tell(session, ctx.vault, resident, MESSAGE, values, now=now, kind="letter")


def _key(session: Session, ctx: Context, one: Affected) -> bytes | None:
    """The key of a person who can still be told; None for one who was erased."""
    resident = session.get(Resident, one.resident_id)
    return accounts.log_key(ctx.vault, resident) if resident else None


def _record(
    session: Session,
    ctx: Context,
    staff: StaffMember,
    kind: str,
    *,
    client_id: str,
    details: Mapping[str, Any],
    now: int,
) -> None:
    acts.record(
        session,
        log_key=ctx.vault.subkey("log"),
        kind=kind,
        actor=acts.staff(staff.staff_id),
        client_id=client_id,
        details=details,
        now=now,
    )


def _incident(act: Act) -> Incident:
    told = act.details
    return Incident(
        act.id,
        act.client_id or "",
        told["since"],
        told["until"],
        told["aware_at"],
        told["what"],
        told["people"],
        told["by_claim"],
        act.at,
    )
