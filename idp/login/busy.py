"""The page for whoever comes while too many passwords are being checked already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import render_template, request
from werkzeug.wrappers import Response

from idp.web.pages import loggable_path

if TYPE_CHECKING:
    from idp.login.admission import Busy

log = logging.getLogger("denizen.login")

#: Parts of the names of fields that hold secrets: they are typed again, never sent back.
_SECRET = ("password", "pin", "code", "credential")


def busy_page(busy: Busy) -> Response:
    """503 with Retry-After: nothing was counted, and the form comes back with all that was typed but its secrets."""
    log.warning("shed path=%s", loggable_path())
    kept = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if not any(part in name for part in _SECRET)
    ]
    page = render_template("ui/busy.html", action=request.path, kept=kept)
    response = Response(page, 503, content_type="text/html; charset=utf-8")
    response.headers["Retry-After"] = str(busy.retry_after)
    return response
