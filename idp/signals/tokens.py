"""Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idp.signals.models import Delivery

TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: At most two minutes (§2.4): by then a token that was caught is worth nothing.
GOOD_FOR = 120


def logout_claims(delivery: Delivery, subject: str, sid: str, *, issuer: str, now: int) -> dict[str, Any]:
    """What a logout token says: both who and which session, as its client knows them, and never a nonce.

    Each has a `jti` of its own. A client that keeps those it has seen takes a second try for what it is, and finds
    nobody to sign out.
    """
    return {
        "iss": issuer,
        "sub": subject,
        "sid": sid,
        "aud": delivery.client_id,
        "iat": now,
        "exp": now + GOOD_FOR,
        "jti": secrets.token_urlsafe(16),
        "events": {EVENT: {}},
    }
