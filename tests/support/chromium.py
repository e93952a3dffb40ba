"""Chromium through Playwright, and what axe finds on a page."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")

ARGUMENTS = [
    "--no-sandbox",  # it drives our own pages only, and continuous integration runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nothing but this machine can be reached, so a page that loads a foreign file shows it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
]

#: WCAG 2.2 AA with all that it includes, and axe's own advice.
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class ChromiumMissing(Exception):
    """No Chromium on this machine; `make test` installs it or says how."""


def executable() -> str:
    """The path of Chromium: $DENIZEN_CHROMIUM, or one in PATH.

    Raises:
        ChromiumMissing: when there is none.
    """
    for path in (os.getenv("DENIZEN_CHROMIUM"), *map(shutil.which, NAMES)):
        if path:
            return path
    raise ChromiumMissing("Chromium is missing: run tests/support/system.sh, or set DENIZEN_CHROMIUM")


def launch(playwright: Playwright) -> Browser:
    """Start it headless, with our arguments."""
    return playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)


def axe_violations(page: Page) -> list[str]:
    """What axe finds wrong on the page as it stands: one line per rule, with the first elements concerned.

    The page must come from a context with JavaScript, though our pages need none: without it axe never answers.
    """
    options = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": AXE_TAGS}}
    page.wait_for_load_state("networkidle")  # a form that was just sent may still lead from page to page
    found = Axe().run(page, options=options).response["violations"]
    return [_describe(violation) for violation in found]


def _describe(violation: dict[str, object]) -> str:
    nodes = violation["nodes"]
    assert isinstance(nodes, list)
    places = "; ".join(node["html"][:200] for node in nodes[:3])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}, {len(nodes)} time(s): {places}"
