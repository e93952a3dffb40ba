"""The queue of confirmations in a real browser, on a phone and on a desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.admin.test_confirmations import REASON, tell
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.admin.office import Office


@pytest.mark.parametrize("width", [390, 1280])
def test_an_officer_closes_a_matter(served: tuple[Office, str], page: Page, width: int) -> None:
    """Found on the overview, refused without a reason, closed with one; axe clean throughout."""
    office, address = served
    tell(office, "library")
    tell(office, "tax")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{address}/login")
    page.fill("#username", "officer")
    page.fill("#password", office.officer.password)
    page.fill("#code", office.officer.code(office.town.clock()))
    page.click("#login-submit")
    page.get_by_role("link", name="Withdrawals that wait for a confirmation").click()
    look(page, widths=(width,))
    page.locator("details summary").first.click()
    page.get_by_role("button", name="Close", exact=True).first.click()
    expect(page.get_by_role("alert").get_by_text("Enter why you close this")).to_be_visible()
    look(page, widths=(width,))
    page.get_by_label("Reason").first.fill(REASON)
    page.get_by_role("button", name="Close", exact=True).first.click()
    expect(page.get_by_role("status").get_by_text("The matter is closed")).to_be_visible()
    expect(page.get_by_text("1 matter", exact=True)).to_be_visible()
    look(page, widths=(width,))
