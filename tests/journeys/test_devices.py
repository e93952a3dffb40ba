"""A device without a keyboard, and the services on the start page, as residents use them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import expect

from idp.clients.metadata import DEVICE_GRANT
from tests.journeys.people import sign_in
from tests.support.watching import look

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.riverton import Riverton

NOTICEBOARD = "riverton-noticeboard"


@pytest.fixture
def looks(either_browser: Page, request: pytest.FixtureRequest) -> Callable[[], None]:
    """Have axe look at the page, where it can: it is a script."""
    runs_scripts = "with JavaScript" in request.node.callspec.params.values()
    return (lambda: look(either_browser)) if runs_scripts else (lambda: None)


def ask(riverton: Riverton) -> dict[str, Any]:
    """What the noticeboard in the town hall is told."""
    form = {"client_id": NOTICEBOARD, "scope": "openid profile offline_access"}
    answer = requests.post(f"{riverton.issuer}/device_authorization", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def poll(riverton: Riverton, told: dict[str, Any]) -> dict[str, Any]:
    """What it is told when it asks."""
    form = {"grant_type": DEVICE_GRANT, "client_id": NOTICEBOARD, "device_code": told["device_code"]}
    found: dict[str, Any] = requests.post(f"{riverton.issuer}/token", data=form, timeout=10).json()
    return found


def test_a_resident_lets_the_noticeboard_in_and_turns_another_away(
    riverton_demo: Riverton, either_browser: Page, looks: Callable[[], None]
) -> None:
    """Code, sign-in, question, release, and the words at the end; with and without scripts, by axe and by eye."""
    page, riverton = either_browser, riverton_demo
    person = riverton.residents["elena.petrova"]
    told = ask(riverton)
    page.goto(told["verification_uri"])
    looks()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter the code that the device shows")
    page.get_by_label("Code on the device").fill("BBBB-BBBB")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    looks()
    page.get_by_label("Code on the device").fill(told["user_code"].lower().replace("-", ""))
    page.get_by_role("button", name="Continue").click()
    sign_in(page, person)
    expect(page.get_by_role("heading", level=1)).to_have_text("Is this your device?")
    main = page.get_by_role("main")
    for words in (told["user_code"], "Riverton Noticeboard", "Riverton Town Hall", person.name):
        expect(main).to_contain_text(words)
    looks()
    page.get_by_role("button", name="Yes, it is my device").click()
    allow = page.get_by_role("button", name="Allow", exact=True)
    done = page.get_by_role("heading", level=1, name="You can go back to the device")
    expect(allow.or_(done)).to_be_visible()
    if allow.count():  # the second time it is agreed already
        allow.click()
    expect(done).to_be_visible()
    looks()
    tokens = poll(riverton, told)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    known = requests.get(f"{riverton.issuer}/userinfo", headers=bearer, timeout=10).json()
    assert known["name"] == person.name

    other = ask(riverton)
    page.goto(other["verification_uri_complete"])
    expect(page.get_by_label("Code on the device")).to_have_value(other["user_code"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The device does not get in")
    looks()
    assert poll(riverton, other)["error"] == "access_denied"


def test_one_click_on_the_start_page_signs_in_at_the_library(
    riverton_demo: Riverton, either_browser: Page, looks: Callable[[], None]
) -> None:
    """OIDC Core §4 with a real relying party: it is told the issuer, and begins an authorization request of its own."""
    page, riverton = either_browser, riverton_demo
    person = riverton.residents["jean.lefevre"]
    page.goto(f"{riverton.issuer}/login")
    sign_in(page, person)
    page.goto(riverton.issuer)
    tile = page.get_by_role("link", name="Riverton Public Library")
    expect(tile).to_have_attribute("href", re.compile(r"/start\?iss=http%3A%2F%2Flocalhost"))
    looks()
    tile.click()
    allow = page.get_by_role("button", name="Allow", exact=True)
    expect(allow.or_(page.get_by_text(f"Hello {person.name}"))).to_be_visible()
    if allow.count():
        allow.click()
    expect(page).to_have_url(f"{riverton.library_url}/")
    expect(page.get_by_role("main")).to_contain_text(person.name)
    page.goto(riverton.issuer)
    yours = page.locator("section", has=page.get_by_role("heading", name="Your services"))
    expect(yours.get_by_role("link", name="Riverton Public Library")).to_be_visible()


def test_the_library_begins_for_its_own_town_only(riverton_demo: Riverton) -> None:
    """RFC 9207 in spirit: whoever names another issuer starts nothing."""
    url = f"{riverton_demo.library_url}/start"
    for query in ("", "?iss=https://evil.example", f"?iss={riverton_demo.issuer}/"):
        assert requests.get(url + query, allow_redirects=False, timeout=10).status_code == 400
    answer = requests.get(f"{url}?iss={riverton_demo.issuer}", allow_redirects=False, timeout=10)
    assert answer.headers["Location"].startswith(f"{riverton_demo.issuer}/authorize?")
