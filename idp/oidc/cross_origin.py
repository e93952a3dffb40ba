"""Which answers the script of a partner's page may read (Fetch Standard §3.3; OAuth 2.0 for Browser-Based Apps).

A page without a server of its own redeems codes and reads data from the browser. So the endpoints that need no cookie
answer to the origins of clients without a secret, and to no other; credentials of the browser are never let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.web.answers import Answer, Header, empty_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

    Handler = Callable[[Incoming], Answer]

#: How long a browser may remember what it was allowed, in seconds.
_REMEMBERED = 600
_ALLOWED: tuple[Header, ...] = (
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP"),
    ("Access-Control-Max-Age", str(_REMEMBERED)),
)
_EXPOSED: tuple[Header, ...] = (("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate"),)


def readable(provider: Provider, handler: Handler) -> Handler:
    """`handler` for partners' pages, too; it is served for OPTIONS besides."""

    def answer(incoming: Incoming) -> Answer:
        asked_before = incoming.method == "OPTIONS"
        found = empty_answer(200) if asked_before else handler(incoming)
        origin = incoming.header("HTTP_ORIGIN")
        if not origin or not provider.clients.has_page_at(origin):
            return found
        more: tuple[Header, ...] = _ALLOWED if asked_before else _EXPOSED
        allowed = ("Access-Control-Allow-Origin", origin)
        return found._replace(headers=[*found.headers, allowed, ("Vary", "Origin"), *more])

    return answer
