"""A page as nearly everybody gets it: drawn once for each language and service, then filled in for each visitor.

Drawing the sign-in page costs more than all else that a sign-in needs besides the check of the password, and in a
storm it is the page that everybody asks for. What differs from one visitor to the next are two texts of which no
character means anything in HTML or in an address: the handle of what waits, and the token of the forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import render_template, request

from idp.login.current import signed_in
from idp.login.shared import is_kiosk
from idp.web.cookies import new_secret
from idp.web.csrf import csrf_token
from idp.web.languages import current_language
from idp.web.pages import web_app

if TYPE_CHECKING:
    from collections.abc import Hashable

#: What stands for the two in a kept page. Nobody can know them: the page has texts and links of partners, too, and one
#: that held such a text would carry the visitor's away.
_FLOW, _TOKEN = new_secret(), new_secret()
#: What the address of such a page may carry; `lang` has the page in another language.
_USUAL = frozenset({"flow", "wanted", "lang"})
#: Far more than there are services and languages; only so that nothing grows for ever.
_MOST = 1000


def is_usual() -> bool:
    """Whether this visitor gets the page that others get: nothing sent, nobody signed in, no computer that many share."""
    is_first = request.method == "GET" and _USUAL.issuperset(request.args)
    return is_first and not is_kiosk() and signed_in() is None


def filled_in(template: str, values: dict[str, Hashable], *, flow: str) -> str:
    """The page with these values; `flow` must be a handle that was found, or "" where nothing waits."""
    drawn = web_app().ready_pages
    key = (template, current_language(), bool(flow), *values.values())
    page = drawn.get(key)
    if page is None:
        if len(drawn) >= _MOST:
            drawn.clear()
        page = drawn[key] = render_template(
            template, **values, flow=_FLOW if flow else "", csrf_token=lambda: _TOKEN
        )
    return page.replace(_TOKEN, csrf_token()).replace(_FLOW, flow)
