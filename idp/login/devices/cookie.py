"""The cookie by which a device is known again."""

from __future__ import annotations

from idp.web.cookies import Cookie

BASE_NAME = "denizen-device"


def device_cookie(*, secure: bool) -> Cookie:
    """The cookie of a known device; it is kept for `KEEP_FOR` and changes with every sign-in."""
    return Cookie(BASE_NAME, secure)
