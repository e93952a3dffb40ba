"""A shared computer: the session is short, is seen to be short, and leaves nothing behind.

Every page of such a session carries a button that ends it, and goes by itself, without a script, to a page that
warns; from there to one that says it is over. Looking at these two is no use of the session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, make_response, redirect, render_template, request

from idp.db import is_unavailable
from idp.login import sessions
from idp.login.current import drop_session, leave_nothing, looked_at, session_cookie, signed_in
from idp.web.context import context

if TYPE_CHECKING:
    from werkzeug.wrappers import Response


bp = Blueprint("shared", __name__)

WARNING = "/shared-computer"
OVER = "/shared-computer/over"
#: So long before the end a page turns into the warning, in seconds (WCAG 2.2.1 asks for 20).
WARN_FOR = 60
_HANDLE = r"[A-Za-z0-9_-]{43}"
#: Pages to which a resident may come back from the warning; a form half filled in is not among them.
_OWN_PAGE = re.compile(
    r"/(|help|(privacy|account)(/[A-Za-z0-9._~/-]*)?"
    rf"|(consent|authorize/as|authorize/level|device/confirm)\?flow={_HANDLE}|login(/[a-z-]+)?\?attempt={_HANDLE})"
)


@dataclass(frozen=True, slots=True)
class SharedSession:
    """What the frame of a page needs: when to turn into the warning, and where that is. Seconds from now."""

    warn_in: int
    warn_at: str
    idle_minutes: int


@bp.app_context_processor
def _values() -> dict[str, Any]:
    """For every page: `shared_session`, None unless somebody is signed in at a shared computer."""
    return {"shared_session": _shared_session(), "shared_place": is_kiosk()}


def is_kiosk() -> bool:
    """Whether the visitor sits at a computer that the town says is shared."""
    return context().settings.kiosk.has(request.environ.get("REMOTE_ADDR", ""))


def _shared_session() -> SharedSession | None:
    if request.path.startswith(WARNING):
        return None
    try:
        session = signed_in()
    except Exception as error:
        if is_unavailable(error):
            return None  # the page that says so must not fail in turn
        raise
    if session is None or not session.is_shared:
        return None
    ctx = context()
    left = session.closes_at - ctx.now()
    back = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return SharedSession(
        max(left - WARN_FOR, 1),
        f"{WARNING}?back={quote(back if _OWN_PAGE.fullmatch(back) else '/', safe='')}",
        ctx.settings.sessions.shared_idle_for // 60,
    )


@bp.get(WARNING)
def warn() -> str | Response:
    """Are you still there? Turns into the end by itself, or back to the page if another tab was used meanwhile."""
    session = looked_at()
    if session is None or not session.is_shared:
        return redirect(OVER, 303)
    now = context().now()
    left = session.closes_at - now
    back = _back(request.args.get("back", ""))
    if left > WARN_FOR:
        return redirect(back, 303)
    return render_template(
        "ui/shared_warning.html",
        left=max(left, 1),
        over_url=OVER,
        back=back,
        may_stay=session.closes_at < session.expires_at,
    )


@bp.post(WARNING)
def stay() -> Response:
    """Somebody is there: that is use of the session, as every page is."""
    if signed_in() is None:
        return redirect(OVER, 303)
    return redirect(_back(request.form.get("back", "")), 303)


@bp.get(OVER)
def over() -> str | Response:
    """The session is over by the clock: the browser forgets what it has of it.

    Any page of the web can send a visitor here. So only what belongs to a shared session is forgotten.
    """
    session = looked_at()
    if session is not None:
        return redirect(WARNING if session.is_shared else "/", 303)
    response = make_response(render_template("ui/shared_over.html"))
    cookie = _cookie()
    if cookie and sessions.was_shared(context().database.fast, cookie):
        drop_session(response)
        leave_nothing(response)
    return response


def _cookie() -> str | None:
    return session_cookie(secure=context().settings.is_secure).read(request.cookies)


def _back(unverified_path: str) -> str:
    return unverified_path if _OWN_PAGE.fullmatch(unverified_path) else "/"
