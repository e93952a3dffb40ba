"""Security events for partners (RFC 8417): put into the outbox in the transaction of what they tell of.

The town's own events stand under its issuer, because no standard knows them. Where the resident is signed out with it,
a partner hears that as well: by a logout token, or by CAEP's `session-revoked`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import select

from consent.canonical import to_text
from consent.rules import TOLD_EVENTS
from consent.withdrawals import service as withdrawals
from idp.clients.models import ClientRow
from idp.oidc import families
from idp.oidc.subjects import told_subject
from idp.signals import outbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consent.withdrawals.rules import Matter
    from idp.signals.models import Delivery

TYPE: Final = "secevent+jwt"
CONTENT_TYPE: Final = "application/secevent+jwt"
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


@dataclass(frozen=True, slots=True)
class _Reach:
    """How a client can be told."""

    events: bool = False
    logout: bool = False


def tell(
    session: Any,
    *,
    event: str,
    client_id: str,
    resident_id: str,
    details: Mapping[str, Any],
    now: int,
    confirm_within: int,
    signs_out: bool = False,
) -> str:
    """Have one partner told about one resident, in the transaction of the thing itself; the `txn` of it.

    `event` is one of :data:`consent.rules.TOLD_EVENTS`; `details` is plain JSON with names of purposes and data, never a value. The
    partner has `confirm_within` seconds to say what it has done. `signs_out`: its access has ended with it, so its live
    sessions with the resident end as well.

    Raises:
        ValueError: for an event that is none of ours.
    """
    if event not in TOLD_EVENTS:
        raise ValueError(f"{event!r} is no event for partners")
    reach = _reach(session, client_id)
    matter_id, due_at = secrets.token_urlsafe(16), now + confirm_within
    sids = families.live_sids(session, resident_id, client_id, now=now) if signs_out else []
    rows = []
    if reach.events:
        rows.append(_event_row(event, details, due_at=due_at))
        if sids and not reach.logout:
            rows.append(_event_row(SESSION_REVOKED, {"initiating_entity": "user"}))
    if reach.logout:
        # A second later, so that the partner knows why before it is told that the session has ended.
        rows += [{"kind": "logout", "sid": sid, "due_at": now + 1} for sid in sids]
    channel = "event" if reach.events else "logout" if rows else "none"
    withdrawals.begin(
        session,
        matter_id=matter_id,
        resident_id=resident_id,
        client_id=client_id,
        event=event,
        details=details,
        channel=channel,
        due_at=due_at,
        now=now,
    )
    about = _about(session, client_id, resident_id, matter_id)
    outbox.put(session, [{**row, **about} for row in rows], now=now)
    return matter_id


def tell_again(session: Any, matter: Matter, *, now: int) -> bool:
    """Put the event of a matter into the outbox once more, with a `jti` of its own; False without an address."""
    if not _reach(session, matter.client_id).events:
        return False
    about = _about(session, matter.client_id, matter.resident_id, matter.id)
    row = _event_row(matter.event, matter.details, due_at=matter.due_at)
    outbox.put(session, [{**row, **about}], now=now)
    return True


def _about(session: Any, client_id: str, resident_id: str, matter_id: str) -> dict[str, Any]:
    """Whom a signal concerns; by what its client knows them is read now, as their grants can be erased before it is taken."""
    return {
        "client_id": client_id,
        "resident_id": resident_id,
        "matter_id": matter_id,
        "subject": told_subject(session, client_id, resident_id),
    }


def event_claims(delivery: Delivery, subject: str, *, issuer: str, now: int) -> dict[str, Any]:
    """What a security event token says (RFC 8417 §2, RFC 9493 §3.2.3): about whom in `sub_id` alone, and no `exp`.

    A second try is the same event: `jti` stays, so that a partner knows it again; `iat` is when it was signed.
    """
    assert delivery.event is not None
    assert delivery.payload is not None
    uri = delivery.event if ":" in delivery.event else event_uri(issuer, delivery.event)
    payload = orjson.loads(delivery.payload)
    if "confirm_by" in payload:
        payload["confirm_at"] = f"{issuer}/consent/confirmations"
    return {
        "iss": issuer,
        "aud": delivery.client_id,
        "iat": now,
        "toe": delivery.created_at,
        "jti": delivery.id,
        **({"txn": delivery.matter_id} if delivery.matter_id else {}),
        "sub_id": {"format": "iss_sub", "iss": issuer, "sub": subject},
        "events": {uri: payload},
    }


def event_uri(issuer: str, event: str) -> str:
    """The name of one of our own events."""
    return f"{issuer}/events/{event}"


def _reach(session: Any, client_id: str) -> _Reach:
    found = session.execute(
        select(ClientRow.details).where(ClientRow.client_id == client_id, ClientRow.disabled_at.is_(None))
    ).scalar_one_or_none()
    details: Mapping[str, Any] = found or {}
    return _Reach(bool(details.get("events_uri")), bool(details.get("backchannel_logout_uri")))


def _event_row(event: str, payload: Mapping[str, Any], *, due_at: int | None = None) -> dict[str, Any]:
    by = {} if due_at is None else {"confirm_by": due_at}
    return {"kind": "event", "event": event, "payload": to_text({**payload, **by})}
