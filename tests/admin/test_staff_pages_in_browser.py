"""The staff pages in a real browser, on a phone and on a desk: usable, accessible, and nothing runs off the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.admin.office import REASON
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.admin.office import Office


@pytest.mark.parametrize("width", [390, 1280])
def test_an_officer_finds_a_person(served: tuple[Office, str], page: Page, width: int) -> None:
    """Journey 12 as far as it goes now: sign in, search with a reason, read, sign out; axe clean throughout."""
    office, address = served
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/officer")
    look(page, widths=(width,))
    page.click("#login-submit")
    look(page, widths=(width,))
    expect(page.locator("[aria-invalid]")).to_have_count(3)
    page.fill("#username", "officer")
    page.fill("#password", office.officer.password)
    page.fill("#code", office.officer.code(office.town.clock()))
    page.click("#login-submit")
    expect(page.get_by_role("heading", name="Hello, officer")).to_be_visible()
    look(page, widths=(width,))
    page.get_by_role("link", name="Find a person").first.click()
    page.fill("#person", "nobody@example.org")
    page.fill("#reason", REASON)
    page.click("#search-submit")
    expect(page.get_by_role("alert").get_by_text("Nobody has this address or user name")).to_be_visible()
    look(page, widths=(width,))
    page.fill("#person", "maria@example.org")
    page.click("#search-submit")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Resident ")
    look(page, widths=(width,))
    page.goto(f"{address}/nothing")
    look(page, widths=(width,))
    page.goto(address)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{address}/login")
    page.goto(f"{address}/officer")
    expect(page).to_have_url(f"{address}/login")
