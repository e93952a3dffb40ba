"""`session_state` (OpenID Connect Session Management 1.0 §3.2): by it a partner's page notices that a session changed."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Protocol

from idp.clients.rules import origin_of
from idp.login.browser_state import browser_state, browser_state_cookie

if TYPE_CHECKING:
    from idp.oidc.provider import Provider
    from idp.web.answers import Header

#: The name of the parameter in an answer.
PARAMETER = "session_state"


def session_state(client_id: str, origin: str, state_of_browser: str, *, salt: str) -> str:
    """The value for one client at one origin, as the frame works it out again; no space in it, and a full stop once."""
    said = f"{client_id} {origin} {state_of_browser} {salt}"
    return f"{hashlib.sha256(said.encode()).hexdigest()}.{salt}"


class Answered(Protocol):
    """What must be known of a request that is answered."""

    @property
    def redirect_uri(self) -> str | None:
        """Where the answer goes."""

    @property
    def scope(self) -> tuple[str, ...]:
        """What it asks for."""


def told(provider: Provider, client_id: str, to: Answered, sid: str) -> tuple[dict[str, str], list[Header]]:
    """The parameter for an answer, and the cookie that the frame reads; `sid` names the session, "" for none.

    Nothing of both where nobody signs in, where the town has switched it off, or the answer goes to an app and to no
    web page.
    """
    settings = provider.context.settings
    if not sid or "openid" not in to.scope or not settings.sessions.browser_check:
        return {}, []
    origin = origin_of(to.redirect_uri or "")
    if not origin:
        return {}, []
    state = browser_state(provider.context.vault, sid)
    made = session_state(client_id, origin, state, salt=secrets.token_urlsafe(12))
    return {PARAMETER: made}, [browser_state_cookie(secure=settings.is_secure).header(state)]
