"""Cross-site request forgery: every POST of a page carries a token bound to this very browser.

The token is an HMAC over a random cookie of the browser, so nothing is stored and nothing can be rolled
back. The check runs for the whole app; a view must be named as a protocol endpoint to be left out.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from flask import after_this_request, g, request

from idp.web.context import context
from idp.web.cookies import Cookie, equal, new_secret

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

FIELD = "csrf_token"


def browser_cookie() -> Cookie:
    """The cookie that tells one browser from another; it says nothing about who uses it."""
    return browser_cookie_of(g.cookie_prefix, secure=g.cookie_secure)


def browser_cookie_of(cookie_prefix: str, *, secure: bool) -> Cookie:
    """The same, for whoever answers before Flask's dispatch."""
    return Cookie(f"{cookie_prefix}-browser", secure)


def browser_id() -> str:
    """The browser's random value; made and set with the answer when it has none."""
    found: str | None = getattr(g, "browser_id", None) or browser_cookie().read(request.cookies)
    if found is None:
        found = new_secret()
        made = found

        @after_this_request
        def keep(response: Response) -> Response:
            browser_cookie().put(response, made)
            return response

    g.browser_id = found
    return found


def csrf_token() -> str:
    """The token that forms of this page carry."""
    return _token(browser_id())


def _token(browser: str) -> str:
    key = context().vault.subkey("csrf")
    return hmac.new(key, f"{g.cookie_prefix}|{browser}".encode(), hashlib.sha256).hexdigest()


def is_forged() -> bool:
    """Whether the current POST lacks proof that it comes from a page of ours in this browser."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return True
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return True
    unverified_token = request.form.get(FIELD, "")
    browser = browser_cookie().read(request.cookies)
    return browser is None or not equal(unverified_token, _token(browser))
