"""The page for whoever comes while too many passwords are being checked already.

In a storm most answers are this one, so it is made once for each language and then only filled with what was typed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import g, render_template, request
from markupsafe import escape
from werkzeug.wrappers import Response

from idp.login.current import signed_in
from idp.login.shared import is_kiosk
from idp.web.answers import NO_STORE, SECURITY_HEADERS, Answer
from idp.web.incoming import BadRequest
from idp.web.languages import current_language, language_of
from idp.web.pages import page_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from idp.login.admission import Admission, Busy
    from idp.settings import Settings
    from idp.web.incoming import Incoming

log = logging.getLogger("denizen.login")

#: Parts of the names of fields that hold secrets: they are typed again, never sent back.
_SECRET = ("password", "pin", "code", "credential")
_KIND = "text/html; charset=utf-8"
#: Stands in the template.
_HERE = "<!-- what was typed -->"


class BusyPages:
    """503 with Retry-After: nothing was counted, and the form comes back with all that was typed but its secrets."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._offered = settings.town.languages
        self._admission = admission
        #: By path and language: the page around what was typed, and its content policy.
        self._made: dict[tuple[str, str], tuple[str, str]] = {}

    def answer(self, busy: Busy) -> Response:
        """Through Flask: for every form whose password found no place."""
        page = render_template("ui/busy.html", action=request.path, languages=[])
        # What is kept for others has nothing of this visitor in it.
        is_usual = not (g.get("form_targets") or request.view_args or is_kiosk() or signed_in())
        if is_usual:
            self._made[request.path, current_language()] = page, page_policy()
        log.info("shed path=%s", request.path)
        response = Response(_filled(page, request.form.items(multi=True)), 503, content_type=_KIND)
        response.headers["Retry-After"] = str(busy.retry_after)
        return response

    def at_once(self, found: Incoming) -> Answer | None:
        """Before Flask's dispatch, once the page was made: the same answer; None when there is a place, or no secret."""
        busy = self._admission.is_full()
        if busy is None:
            return None
        try:
            made = self._made.get((found.environ["PATH_INFO"], language_of(found, self._offered)))
            if made is None or "cancel" in found.form or not found.form.get("password"):
                return None
            page = _filled(made[0], found.form.items()).encode()
        except BadRequest:
            return None
        log.info("shed path=%s", found.environ["PATH_INFO"])
        said = (
            ("Content-Type", _KIND),
            ("Content-Security-Policy", made[1]),
            ("Retry-After", str(busy.retry_after)),
            ("Content-Length", str(len(page))),
        )
        return Answer(503, (*said, *SECURITY_HEADERS, *NO_STORE), page)


def _filled(page: str, typed: Iterable[tuple[str, str]]) -> str:
    kept = [
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in typed
        if value and not any(part in name for part in _SECRET)
    ]
    return page.replace(_HERE, "\n".join(kept), 1)
