"""The officer's pages in a real browser, on a phone and on a desk: nothing for axe, and nothing runs off the side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.admin.office import REASON
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.admin.office import Office

PAGES = (
    "/",
    "/officer/records",
    "/officer/records?client=",
    "/officer/records?since=x&notice=zz",
    "/officer/record?entry=1",
    "/officer/export?client=library&event=given",
    "/officer/exports",
    "/officer/integrity",
    "/officer/figures",
    "/officer/figures?client=library",
    "/officer/over-asking",
    "/officer/register?past=1",
    "/officer/incidents",
    "/officer/mine",
    "/notices",
)


def settle(office: Office) -> str:
    """Choices at the library, more than a figure hides; the id of its purpose."""
    from consent import purposes, records

    town = office.town
    with town.context.database.transaction() as session:
        (library,) = purposes.purposes_for_client(session, "library")
        notice = purposes.notices_for(session, [library.id], "en", "en")[library.id]
        for number, event in enumerate(["given"] * 14 + ["refused"] * 6 + ["withdrawn"] * 3):
            records.append_event(
                session,
                log_key=town.context.vault.subkey("log"),
                resident_id=town.maria.resident_id,
                client_id="library",
                purpose_id=library.id,
                event=event,
                claims_offered=["name", "email"],
                claims_chosen=["name"] if event == "given" else [],
                notice_hash=notice.body_hash,
                language="en",
                control="release-page",
                authentication={"acr": "basic", "amr": ["pwd"], "auth_time": int(town.clock())},
                now=int(town.clock()) - (23 - number) * 86_400 * 5,
            )
        return library.id


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_of_the_officer_is_usable(served: tuple[Office, str], page: Page, width: int) -> None:
    """Search, timeline, as of a day, the page that was seen, integrity, exports, figures, register, incidents."""
    office, address = served
    purpose_id = settle(office)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{address}/login")
    page.fill("#username", "officer")
    page.fill("#password", office.officer.password)
    page.fill("#code", office.officer.code(office.town.clock()))
    page.click("#login-submit")
    for place in (*PAGES, f"/notices/purposes/{purpose_id}/end"):
        page.goto(address + place)
        look(page, widths=(width,))
    page.goto(f"{address}/officer/incidents")
    page.select_option("#client", "library")
    page.fill("#since", "2027-01-01")
    page.fill("#until", "2027-01-15")
    page.fill("#aware", "2027-01-14T09:00")
    page.fill("#what", "A list of readers lay open on the web.")
    page.click("#incident-submit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Incident at Riverton Public Library")
    look(page, widths=(width,))
    page.goto(f"{address}/officer")
    page.fill("#person", "maria@example.org")
    page.fill("#reason", REASON)
    page.click("#search-submit")
    look(page, widths=(width,))
    for link in ("Timeline", "As of a day"):
        page.get_by_role("link", name=link).click()
        look(page, widths=(width,))
    page.get_by_role("link", name="What they saw").first.click()
    expect(page.get_by_text("The hash matches")).to_be_visible()
    look(page, widths=(width,))
