"""What every page of the town must be, wherever a test meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.chromium import axe_violations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import ConsoleMessage, Page, Response

PHONE, DESK = 390, 1280
#: The narrowest screen that WCAG 2.2 asks for (1.4.10).
NARROWEST = 320

_STRUCTURE = """() => ({
    h1: document.querySelectorAll("h1").length,
    lang: document.documentElement.lang,
    dir: document.documentElement.dir,
    title: document.title.trim(),
    inline: [...document.querySelectorAll("[style], style, script:not([src])")].map(one => one.outerHTML.slice(0, 200)),
    handlers: [...document.querySelectorAll("*")].flatMap(one => one.getAttributeNames())
        .filter(name => name.startsWith("on")),
    ids: [...document.querySelectorAll("[id]")].map(one => one.id).filter((id, at, all) => all.indexOf(id) < at),
    foreign: performance.getEntriesByType("resource").map(one => one.name)
        .filter(name => !name.startsWith(location.origin + "/")),
})"""
#: What a page must have none of: inline styles and scripts, repeated ids, files of others.
_EMPTY = ("inline", "handlers", "ids", "foreign")
_OVERFLOW = """() => {
    const width = document.scrollingElement.clientWidth;
    if (document.scrollingElement.scrollWidth <= width) return [];
    const outside = box => box.right > width + 0.5 || box.left < -0.5;
    return ["the page scrolls sideways"].concat([...document.querySelectorAll("body *")]
        .filter(one => outside(one.getBoundingClientRect())).map(one => one.outerHTML.slice(0, 120)).slice(0, 5));
}"""


class Watch:
    """Listens to a page: errors of scripts and of the console, requests that failed.

    A page that answers 404 or 422 makes Chromium complain about the page itself; that is meant.
    """

    def __init__(self, page: Page) -> None:
        self._complaints: list[tuple[str, str]] = []
        self._answered: set[str] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._complaints.append(("", str(error))))
        page.on("response", self._response)

    def complaints(self) -> list[str]:
        """What there is to complain about."""
        return [
            f"{address} {text}"
            for address, text in self._complaints
            if not (address in self._answered and text.startswith("Failed to load resource"))
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            address = message.location["url"].partition("#")[0]  # as the response has it
            self._complaints.append((address, message.text))

    def _response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._answered.add(response.url)


def look(page: Page, *, language: str = "en", widths: Iterable[int] = (PHONE, DESK)) -> None:
    """Assert that the page as it stands is as every page must be, on a phone and on a desk."""
    found = flaws(page, language=language, widths=widths)
    assert not found, "\n".join(found)


def flaws(page: Page, *, language: str = "en", widths: Iterable[int] = (PHONE, DESK)) -> list[str]:
    """What is wrong with the page as it stands: one line each, with its address."""
    page.wait_for_load_state()  # an address shows before its page does
    found = _structural(page.evaluate(_STRUCTURE), language)
    before = page.viewport_size
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{width} px: {line}" for line in (*axe_violations(page), *overflow(page))]
    if before is not None:
        page.set_viewport_size(before)
    return [f"{page.url} {line}" for line in found]


def overflow(page: Page) -> list[str]:
    """What runs off the side of the page at its present width; nothing when it does not scroll sideways."""
    found: list[str] = page.evaluate(_OVERFLOW)
    return found


def _structural(seen: dict[str, Any], language: str) -> list[str]:
    wanted = {"h1": 1, "lang": language, "dir": "ltr", **{name: [] for name in _EMPTY}}
    found = [f"{name} is {seen[name]!r}" for name, value in wanted.items() if seen[name] != value]
    return found if seen["title"] else [*found, "the title is empty"]
