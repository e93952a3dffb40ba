"""ID tokens that come back to us as hints: signed by us, expired or not; anything else is no hint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.clients.profiles import OWN_ALGORITHMS
from idp.jose import texts as jose

if TYPE_CHECKING:
    from idp.oidc.provider import Provider

ALGORITHMS = OWN_ALGORITHMS
_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class Hint:
    """What an ID token of ours says; `is_fresh` while it has not expired."""

    client_id: str
    subject: str
    sid: str
    is_fresh: bool


def read_hint(provider: Provider, unverified_hint: str | None) -> Hint | None:
    """The hint behind an `id_token_hint`, or None (OIDC Core §3.1.2.1, RP-Initiated Logout §2)."""
    if unverified_hint is None or len(unverified_hint) > _LIMIT:
        return None
    try:
        unverified = jose.read(unverified_hint)
        ours = [key for key in provider.keys.ring.verify_keys.keys if key.kid == unverified.kid]
        claims = jose.verify(unverified, ours, algorithms=ALGORITHMS)
    except jose.NotReadable:
        return None
    if (
        unverified.header.get("typ", "JWT") != "JWT"
    ):  # a logout token or an access token says as much, and is no hint
        return None
    client_id, subject, sid = (claims.get(name) for name in ("aud", "sub", "sid"))
    if claims.get("iss") != provider.issuer:
        return None
    if not (isinstance(client_id, str) and isinstance(subject, str) and isinstance(sid, str)):
        return None
    expires_at = claims.get("exp")
    is_fresh = isinstance(expires_at, int) and expires_at > provider.context.now()
    return Hint(client_id, subject, sid, is_fresh)
