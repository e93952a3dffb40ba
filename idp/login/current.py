"""Who is signed in in this browser, for pages."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import g, redirect, request

from idp.login import sessions
from idp.login.browser_state import browser_state_cookie
from idp.login.levels import BASIC, level_of, reaches
from idp.login.ports import ports
from idp.login.rules import is_fresh
from idp.web.context import context
from idp.web.cookies import Cookie

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

BASE_NAME = "denizen-session"


def session_cookie(*, secure: bool) -> Cookie:
    """The cookie of a resident's session."""
    return Cookie(BASE_NAME, secure)


def signed_in() -> sessions.SignedIn | None:
    """The resident signed in in this browser, looked up once per request."""
    if not hasattr(g, "signed_in"):
        ctx = context()
        cookie = session_cookie(secure=ctx.settings.is_secure).read(request.cookies)
        g.signed_in = cookie and sessions.find(
            ctx.database.fast, cookie, settings=ctx.settings.sessions, now=ctx.now()
        )
    return g.signed_in or None


def looked_at() -> sessions.SignedIn | None:
    """The same without noting that the session was used, unless that was done in this request already."""
    if hasattr(g, "signed_in"):
        return signed_in()
    ctx = context()
    cookie = session_cookie(secure=ctx.settings.is_secure).read(request.cookies)
    if cookie is None:
        return None
    return sessions.peek(ctx.database.fast, cookie, settings=ctx.settings.sessions, now=ctx.now())


def to_sign_in() -> Response:
    """Send a visitor to the sign-in page, and back here afterwards; from a form, to the page it belongs to."""
    path = request.path if request.method in ("GET", "HEAD") else "/" + request.path.split("/")[1]
    return redirect(f"/login?next={quote(path)}", 303)


def for_residents(view: Callable[..., Any]) -> Callable[..., Any]:
    """A page that needs a signed-in resident, who is handed to it first."""

    @wraps(view)
    def guarded(**values: Any) -> Any:
        session = signed_in()
        return to_sign_in() if session is None else view(session, **values)

    return guarded


def for_fresh_residents(view: Callable[..., Any]) -> Callable[..., Any]:
    """A page that changes how one signs in.

    It needs a resident who signed in within the last minutes, and with all that they have: a stolen password
    removes no second factor and adds no passkey.
    """

    @wraps(view)
    def guarded(session: sessions.SignedIn, **values: Any) -> Any:
        highest = _highest(session)
        if is_fresh(session.authenticated_at, now=context().now()) and reaches(session.acr, highest):
            return view(session, **values)
        page = request.path if request.method in ("GET", "HEAD") else "/account/sign-in"
        return redirect(f"/login?again=1&wanted={highest}&next={quote(page)}", 303)

    return for_residents(guarded)


def _highest(session: sessions.SignedIn) -> str:
    """The level of all that the resident signs in with together; codes that nobody asked for do not count.

    Of a provider upstream it is what it has said of this very resident: it may know better of others.
    """
    with context().database.reading() as reading:
        found = ports().ways.of(reading, session.resident_id)
    return level_of([found.has_proved(method) for method in found.alone | found.owed]) or BASIC


def put_session(response: Response, cookie_value: str) -> None:
    """Give the browser its session; it ends with the browser's own session or by our limits."""
    session_cookie(secure=context().settings.is_secure).put(response, cookie_value)
    _drop_state(response)


def drop_session(response: Response, *, request_waits: bool = False) -> None:
    """Take the session from the browser; at a shared computer everything that came with it.

    `request_waits`: a partner's request waits in this browser for whoever signs in next, and is known by a cookie.
    """
    session_cookie(secure=context().settings.is_secure).drop(response)
    _drop_state(response)
    session = g.get("signed_in")
    if session and session.is_shared:
        leave_nothing(response, but_cookies=request_waits)


def _drop_state(response: Response) -> None:
    """Let partners' pages see that the session has changed; the next answer to a partner brings the new state."""
    cookie = browser_state_cookie(secure=context().settings.is_secure)
    if cookie.name in request.cookies:
        cookie.drop(response)


def leave_nothing(response: Response, *, but_cookies: bool = False) -> None:
    """Have the browser forget pages, cookies and storage of the town (Clear-Site-Data)."""
    response.headers["Clear-Site-Data"] = (
        '"cache", "storage"' if but_cookies else '"cache", "cookies", "storage"'
    )
