"""Consents that end by themselves: residents are reminded in time, and what has ended is recorded and told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from consent import expiry, purposes
from consent.expiry import Step
from idp.accounts import service as accounts
from idp.accounts.models import Resident
from idp.jobs.one_by_one import one_by_one
from idp.messaging.service import tell
from idp.oidc import lasting, narrowing
from idp.signals import events

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.clients.registry import ClientRegistry
    from idp.web.context import Context

log = logging.getLogger("denizen.lapses")

_BATCH = 200


def look(ctx: Context, clients: ClientRegistry, *, now: int) -> int:
    """Take every step that is due, each in a transaction of its own; how many were taken."""
    steps = 0
    while True:
        with ctx.database.reading() as reading:
            found = expiry.due(reading, now=now, limit=_BATCH)
        taken = one_by_one(
            ctx.database,
            found,
            lambda session, one: _step(session, ctx, clients, one, now=now),
            failed="consent not looked at purpose",
            name=lambda one: one.purpose_id,
        )
        steps += taken
        if len(found) < _BATCH or not taken:
            return steps


def _step(session: Session, ctx: Context, clients: ClientRegistry, one: expiry.Due, *, now: int) -> bool:
    # What the resident agrees to anew, or takes back, in this very moment comes before or after, never between.
    resident = session.get(Resident, one.resident_id, with_for_update=True)
    log_key = accounts.log_key(ctx.vault, resident) if resident else None
    language = ctx.settings.town.languages[0]
    step = expiry.take_step(session, one, log_key=log_key, language=language, now=now)
    if step is Step.REMIND and resident is not None:
        _remind(session, ctx, clients, resident, one, now=now)
    if step is Step.EXPIRED:
        _end(session, ctx, one, now=now)
        log.info("consent expired client=%s", one.client_id)
    return True


def _remind(
    session: Session,
    ctx: Context,
    clients: ClientRegistry,
    resident: Resident,
    one: expiry.Due,
    *,
    now: int,
) -> None:
    language, fallback = resident.language, ctx.settings.town.languages[0]
    notice = purposes.notices_for(session, [one.purpose_id], language, fallback).get(one.purpose_id)
    values: dict[str, Any] = {
        "service": clients.name_of(one.client_id)[0],
        "title": notice.text.title if notice else "",
        "ends_at": one.ends_at,
        "link": f"{ctx.settings.server.issuer}/privacy/questions",
    }
    tell(session, ctx.vault, resident, "consent_expiring", values, now=now, kind="reminder")


def _end(session: Session, ctx: Context, one: expiry.Due, *, now: int) -> None:
    """Grants and tokens know already; the partner is told to let go of the data, as after a withdrawal."""
    is_left = narrowing.narrow(session, one.resident_id, one.client_id, now=now)
    lasting.look_again(session, one.resident_id, one.client_id, now=now)
    purpose = purposes.find_purpose(session, one.purpose_id)
    details = {
        "purposes": [purpose.key] if purpose else [],
        "claims": list(purpose.asked.claims) if purpose else [],
        "partial": is_left,
    }
    events.tell(
        session,
        event="consent-expired",
        client_id=one.client_id,
        resident_id=one.resident_id,
        details=details,
        confirm_within=ctx.settings.consent.confirm_within,
        signs_out=False,
        now=now,
    )
