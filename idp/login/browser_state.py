"""What a browser may show partners' pages of its session: a value that changes with the session and tells nothing.

OpenID Connect Session Management 1.0 §3.2. A page of ours, framed by a partner's, reads it from a cookie, so that
cookie is no secret, is sent from other sites, and is given only with an answer to a partner.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from idp.jose.encoding import base64url
from idp.web.cookies import Cookie

if TYPE_CHECKING:
    from keys.envelope import Vault

_BASE_NAME = "denizen-browser-state"


def browser_state(vault: Vault, sid: str) -> str:
    """The value of a session, by its public name: nobody who knows the name alone can make it."""
    return base64url(hmac.digest(vault.subkey("browser-state"), sid.encode(), "sha256"))


def browser_state_cookie(*, secure: bool) -> Cookie:
    """The cookie that holds it."""
    return Cookie(_BASE_NAME, secure, is_readable=True)
