"""Who of the staff is signed in in this browser, and which roles may use a view.

Every view of the staff app carries `for_roles` or `for_everyone`; `check_every_view` refuses an app in which
one does not, so that a page forgotten here is a page that nobody gets.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import g, redirect, request
from flask_babel import gettext

from admin.staff import sessions
from idp.web.context import context
from idp.web.cookies import Cookie
from idp.web.pages import error_page, web_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    View = Callable[..., Any]

BASE_NAME = "denizen-staff-session"
#: Files of the pages themselves, which `idp.web.pages` serves to everybody.
OPEN_ENDPOINTS = frozenset({"static", "brand", "/health"})


def session_cookie() -> Cookie:
    """The cookie of a staff session; secure when the staff app is reached by https, whatever residents use."""
    return Cookie(BASE_NAME, web_app().is_secure)


def device_cookie() -> Cookie:
    """The cookie by which a device is known on which a member of staff signed in before."""
    return Cookie("denizen-staff-device", web_app().is_secure)


def current_staff() -> sessions.StaffMember | None:
    """The member of staff signed in in this browser, looked up once per request."""
    if not hasattr(g, "staff"):
        ctx = context()
        cookie = session_cookie().read(request.cookies)
        g.staff = cookie and sessions.find(
            ctx.database.fast, cookie, settings=ctx.settings.sessions, now=ctx.now()
        )
    return g.staff or None


def for_roles(*roles: str) -> Callable[[View], View]:
    """A view for these roles alone; the member of staff is handed to it first (K35)."""

    def limit(view: View) -> View:
        @wraps(view)
        def guarded(**values: Any) -> Any:
            staff = current_staff()
            if staff is None:
                return redirect("/login", 303)
            return view(staff, **values) if staff.role in roles else _not_for_you()

        guarded.roles = frozenset(roles)  # type: ignore[attr-defined]
        return guarded

    return limit


def for_everyone(view: View) -> View:
    """A view that anybody may reach, signed in or not."""
    view.roles = None  # type: ignore[attr-defined]
    return view


def check_every_view(app: Flask) -> None:
    """Refuse an app with a view that names no roles.

    Raises:
        RuntimeError: naming the views.
    """
    open_to_chance = [
        endpoint
        for endpoint, view in app.view_functions.items()
        if endpoint not in OPEN_ENDPOINTS and not hasattr(view, "roles")
    ]
    if open_to_chance:
        raise RuntimeError(f"these staff views name no roles: {', '.join(sorted(open_to_chance))}")


def _not_for_you() -> Any:
    return error_page(
        403,
        gettext("This page is not for your role"),
        gettext("Your account works, but others do this task."),
        gettext("Go back to the overview, or ask whoever gave you the account."),
    )
