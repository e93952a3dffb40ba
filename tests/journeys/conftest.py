"""Browsers for the journeys: what a page must never do is watched while a resident uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture
def resident(page: Page) -> Iterator[Page]:
    """A resident's browser. The test fails when a page complained in the console or loaded a foreign file."""
    watch = Watch(page)
    yield page
    assert watch.complaints() == []


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def either_browser(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A resident's browser, once with JavaScript and once without: the pages need none."""
    if request.param == "with JavaScript":
        yield request.getfixturevalue("resident")
        return
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch = Watch(page)
    yield page
    context.close()
    assert watch.complaints() == []


@pytest.fixture
def reading(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Makes browsers that prefer a language, such as `fr-FR`."""
    opened = []

    def make(language: str) -> Page:
        context = browser.new_context(locale=language)
        context.set_default_timeout(15_000)
        page = context.new_page()
        opened.append((context, Watch(page)))
        return page

    yield make
    for context, _ in opened:
        context.close()
    assert [complaint for _, watch in opened for complaint in watch.complaints()] == []
