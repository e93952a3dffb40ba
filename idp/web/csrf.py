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

    from idp.web.incoming import Incoming
    from keys.envelope import Vault

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
    return _token(context().vault, g.cookie_prefix, browser_id())


def _token(vault: Vault, cookie_prefix: str, browser: str) -> str:
    key = vault.subkey("csrf")
    return hmac.new(key, f"{cookie_prefix}|{browser}".encode(), hashlib.sha256).hexdigest()


def is_forged() -> bool:
    """Whether the current POST lacks proof that it comes from a page of ours in this browser."""
    headers = request.headers
    if _is_from_elsewhere(headers.get("Sec-Fetch-Site", ""), headers.get("Origin", ""), request.host):
        return True
    unverified_token = request.form.get(FIELD, "")
    browser = browser_cookie().read(request.cookies)
    return browser is None or not equal(unverified_token, _token(context().vault, g.cookie_prefix, browser))


def proven_browser(found: Incoming, vault: Vault, cookie_prefix: str, *, secure: bool) -> str | None:
    """The browser of a POST that is proven to come from a page of ours there, before Flask's dispatch; else None."""
    header = found.header
    if _is_from_elsewhere(header("HTTP_SEC_FETCH_SITE"), header("HTTP_ORIGIN"), header("HTTP_HOST")):
        return None
    browser = browser_cookie_of(cookie_prefix, secure=secure).read(found.cookies)
    if browser is None or not equal(found.form.get(FIELD, ""), _token(vault, cookie_prefix, browser)):
        return None
    return browser


def _is_from_elsewhere(fetch_site: str, origin: str, host: str) -> bool:
    """What browsers say of the page that sent a form; simple ones say nothing."""
    return fetch_site == "cross-site" or (origin != "" and origin.partition("://")[2] != host)
