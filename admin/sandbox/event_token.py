"""What a partner does with a security event, as any partner would (RFC 8417, RFC 8935), and how it answers it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("riverton.partner")

#: Our events after which a partner may keep nothing that it knows of a person; a narrower one names what goes.
_LEAVES_NOTHING = (
    "consent-withdrawn",
    "consent-expired",
    "erasure-requested",
    "processing-restricted",
    "objection",
)


class NotAnEvent(Exception):
    """The text is no security event for this partner."""


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """What the town tells about a person: `claims` is what to forget, None for everything; `confirm_at` where to say so."""

    subject: str
    txn: str
    claims: tuple[str, ...] | None
    confirm_at: str


def security_event(
    text: str, keys: Callable[[], Mapping[str, Any]], *, issuer: str, client_id: str
) -> SecurityEvent | None:
    """The event of a token, once everything about it is right; None for one that asks nothing of this partner.

    Raises:
        NotAnEvent: when anything is not right.
    """
    try:
        token = jwt.decode(text, KeySet.import_key_set(keys()), algorithms=["ES256"])  # type: ignore[arg-type]
        jwt.JWTClaimsRegistry(
            now=int(time.time()),
            leeway=60,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            iat={"essential": True},
            jti={"essential": True},
            txn={"essential": True},
        ).validate(token.claims)
        about, events = token.claims["sub_id"], token.claims["events"]
        if (
            token.header.get("typ") != "secevent+jwt"
            or about["format"] != "iss_sub"
            or about["iss"] != issuer
        ):
            raise NotAnEvent
        ours = {uri.removeprefix(f"{issuer}/events/"): said for uri, said in events.items()}
        name = next((one for one in _LEAVES_NOTHING if one in ours), None)
        if name is None:
            return None
        said = ours[name]
        claims = tuple(said["claims"]) if said.get("partial") else None
        return SecurityEvent(about["sub"], token.claims["txn"], claims, said["confirm_at"])
    except (JoseError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotAnEvent from error


def confirm(event: SecurityEvent, *, issuer: str, client_id: str, client_secret: str) -> None:
    """Say to the town, and to nobody else, that what it asked for is deleted."""
    if not event.confirm_at.startswith(f"{issuer}/"):
        return
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between programs of one machine
        try:
            answer = session.post(
                event.confirm_at,
                data={"txn": event.txn, "outcome": "deleted"},
                auth=(client_id, client_secret),
                timeout=10,
                allow_redirects=False,
            )
            answer.raise_for_status()
        except requests.RequestException:
            log.warning("the town did not take the confirmation of %s", event.txn)
