"""`/check-session` (OpenID Connect Session Management 1.0 §3.2): a page without a face that partners' pages frame.

Its script is asked whether the session is the one that the partner was told of, and says `changed`, `unchanged` or
`error` to whoever asked. Anybody may frame it: it shows nothing, and what it says is worth nothing without a
`session_state` that we gave to that very origin.
"""

from __future__ import annotations

from idp.login.browser_state import browser_state_cookie
from idp.web.answers import Answer

PATH = "/check-session"
SCRIPT = "check-session.js"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Session</title>
<script src="{script}" data-cookie="{cookie}"></script></html>
"""
# It is made to be framed.
_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *",
    ),
    ("Cache-Control", "public, max-age=300"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)


def page(script_url: str, *, secure: bool) -> Answer:
    """The page, the same for everybody; the script finds the name of the cookie in it."""
    body = _PAGE.format(script=script_url, cookie=browser_state_cookie(secure=secure).name).encode()
    return Answer(200, [*_HEADERS, ("Content-Length", str(len(body)))], body)
