"""What a partner does with a logout token, as any partner would (OpenID Connect Back-Channel Logout 1.0 §2.6)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class NotALogout(Exception):
    """The text is no logout token for this partner."""


def ended_session(
    text: str, keys: Callable[[], Mapping[str, Any]], *, issuer: str, client_id: str
) -> tuple[str, str]:
    """The session (`sid`) and the person (`sub`) of a logout token, once everything about it is right.

    Raises:
        NotALogout: when anything is not.
    """
    try:
        token = jwt.decode(text, KeySet.import_key_set(keys()), algorithms=["ES256"])  # type: ignore[arg-type]
        jwt.JWTClaimsRegistry(
            now=int(time.time()),
            leeway=60,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
            sub={"essential": True},
            sid={"essential": True},
        ).validate(token.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise NotALogout from error
    events = token.claims.get("events")
    if token.header.get("typ") != "logout+jwt" or "nonce" in token.claims:
        raise NotALogout
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise NotALogout
    return token.claims["sid"], token.claims["sub"]
