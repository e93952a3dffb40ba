"""The officer's pages in a real browser, on a phone and on a desk: nothing for axe, and nothing runs off the side."""

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


@pytest.fixture
def served(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Office, str]]:
    """The staff app of a town in which something happened, on a loopback port, without TLS."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    database = tmp_path / "denizen.sqlite"
    database.write_bytes(sqlite_template.read_bytes())
    address = "http://127.0.0.1"
    servers = {"issuer": "http://localhost:8400", "staff_url": address}
    office = open_office(make_town(f"sqlite:///{database}", tmp_path, server=servers))
    server = make_server("127.0.0.1", 0, office.app, threaded=False)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield office, f"{address}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    office.town.context.database.close()


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


def check(page: Page) -> None:
    """Nothing for axe to find; there is one main heading, and the page is no wider than the screen."""
    assert axe_violations(page) == [], page.url
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        page.url
    )


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
        check(page)
    page.goto(f"{address}/officer/incidents")
    page.select_option("#client", "library")
    page.fill("#since", "2027-01-01")
    page.fill("#until", "2027-01-15")
    page.fill("#aware", "2027-01-14T09:00")
    page.fill("#what", "A list of readers lay open on the web.")
    page.click("#incident-submit")
    assert page.get_by_role("heading", level=1).inner_text() == "Incident at Riverton Public Library"
    check(page)
    page.goto(f"{address}/officer")
    page.fill("#person", "maria@example.org")
    page.fill("#reason", REASON)
    page.click("#search-submit")
    check(page)
    for link in ("Timeline", "As of a day"):
        page.get_by_role("link", name=link).click()
        check(page)
    page.get_by_role("link", name="What they saw").first.click()
    assert page.get_by_text("The hash matches").is_visible()
    check(page)
