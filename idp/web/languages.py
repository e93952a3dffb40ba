"""Which language a page is in: the link just clicked, the last choice, the request, the browser, the town."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from babel import Locale
from flask import g, request
from flask_babel import get_translations
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from idp.web.context import context
from idp.web.locales import locale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from idp.web.incoming import Incoming

COOKIE = "denizen-language"


def current_language() -> str:
    """The language of the page being made, such as `fr`."""
    found: str | None = getattr(g, "language", None)
    if found is None:
        found = g.language = _choose()
    return found


def current_locale() -> str:
    """The conventions of the page being made."""
    return locale_of(current_language())


def catalogue() -> Any:
    """The translations of the page being made, looked up once a page and not once a text."""
    found: Any = getattr(g, "catalogue", None)
    if found is None:
        found = g.catalogue = get_translations()
    return found


def prefer(tags: str | None) -> None:
    """Take `ui_locales` (OIDC Core §3.1.2.1), a space-separated list, unless the resident chose."""
    if "lang" in request.args or COOKIE in request.cookies:
        return
    for tag in (tags or "").split():
        if tag.partition("-")[0].lower() in context().settings.town.languages:
            g.language = tag.partition("-")[0].lower()
            return


def _choose() -> str:
    offered = list(context().settings.town.languages)
    for candidate in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if candidate in offered:
            return candidate
    return request.accept_languages.best_match(offered) or offered[0]


def remember(response: Response) -> Response:
    """Keep the choice of a language link for a year."""
    chosen = request.args.get("lang")
    if chosen in context().settings.town.languages:
        response.set_cookie(
            COOKIE,
            chosen,
            max_age=31_536_000,
            secure=g.cookie_secure,
            httponly=True,
            samesite="Lax",
        )
    return response


def language_of(found: Incoming, offered: Sequence[str]) -> str:
    """The same choice for a request that has not come to Flask."""
    for candidate in (found.query.get("lang", ""), found.cookies.get(COOKIE, "")):
        if candidate in offered:
            return candidate
    return _best(found.header("HTTP_ACCEPT_LANGUAGE"), tuple(offered))


@lru_cache(maxsize=256)
def _best(accepted: str, offered: tuple[str, ...]) -> str:
    return parse_accept_header(accepted, LanguageAccept).best_match(offered) or offered[0]


def offered_languages() -> list[tuple[str, str]]:
    """Code and own name of each language of the town."""
    return [(code, _own_name(code)) for code in context().settings.town.languages]


@lru_cache(maxsize=256)
def _own_name(code: str) -> str:
    name: str = Locale.parse(code).get_language_name(code) or code
    return name[:1].upper() + name[1:]


def direction() -> str:
    """`rtl` for Arabic and its like, else `ltr`."""
    return _direction_of(current_language())


@lru_cache(maxsize=256)
def _direction_of(code: str) -> str:
    text_direction: str = Locale.parse(code).text_direction
    return text_direction
