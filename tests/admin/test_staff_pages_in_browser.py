"""The staff pages in a real browser, on a phone and on a desk: usable, accessible, and nothing runs off the side."""

from __future__ import annotations

import logging
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.admin.office import REASON, open_office
from tests.support.chromium import axe_violations
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.admin.office import Office


@pytest.fixture
def served(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Office, str]]:
    """The staff app on a loopback port, without TLS."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    database = tmp_path / "denizen.sqlite"
    database.write_bytes(sqlite_template.read_bytes())
    address = "http://127.0.0.1"
    town = make_town(
        f"sqlite:///{database}", tmp_path, server={"issuer": "http://localhost:8400", "staff_url": address}
    )
    office = open_office(town)
    server = make_server("127.0.0.1", 0, office.app, threaded=False)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield office, f"{address}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    town.context.database.close()


def check(page: Page) -> None:
    """Nothing for axe to find; there is one main heading, and the page is no wider than the screen."""
    assert axe_violations(page) == []
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [390, 1280])
def test_an_officer_finds_a_person(served: tuple[Office, str], page: Page, width: int) -> None:
    """Journey 12 as far as it goes now: sign in, search with a reason, read, sign out; axe clean throughout."""
    office, address = served
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/officer")
    check(page)
    page.click("#login-submit")
    check(page)
    assert page.locator("[aria-invalid]").count() == 3
    page.fill("#username", "officer")
    page.fill("#password", office.officer.password)
    page.fill("#code", office.officer.code(office.town.clock()))
    page.click("#login-submit")
    assert page.get_by_role("heading", name="Hello, officer").is_visible()
    check(page)
    page.get_by_role("link", name="Find a person").first.click()
    page.fill("#person", "nobody@example.org")
    page.fill("#reason", REASON)
    page.click("#search-submit")
    assert page.get_by_role("alert").get_by_text("Nobody has this address or user name").is_visible()
    check(page)
    page.fill("#person", "maria@example.org")
    page.click("#search-submit")
    assert page.get_by_role("heading", level=1).inner_text().startswith("Resident ")
    check(page)
    page.goto(f"{address}/nothing")
    check(page)
    page.goto(address)
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{address}/login"
    page.goto(f"{address}/officer")
    assert page.url == f"{address}/login"
