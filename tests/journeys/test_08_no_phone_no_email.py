"""Journey 8: a resident with a printed card and paper codes signs in at a library computer and leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Error, expect

from tests.support.riverton import least_request
from tests.support.watching import Watch, overflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.riverton import Holder, Riverton


@pytest.fixture
def library_computer(browser: Browser) -> Iterator[Page]:
    """The browser of a public computer, with JavaScript switched off."""
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    context.set_default_timeout(15_000)
    page = context.new_page()
    watch = Watch(page)
    yield page
    context.close()
    assert watch.complaints() == []


def test_a_card_opens_the_library_and_a_paper_code_opens_more(
    riverton: Riverton, library_computer: Page
) -> None:
    """Scanner, PIN, then a code by its number where a service wants to be more certain; afterwards nothing is left."""
    page, holder = library_computer, riverton.holder
    begin_at_the_library(riverton, page)
    show_the_card(riverton, page, holder)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Riverton Public Library asks for some of your data"
    )
    expect(page.get_by_role("main")).to_contain_text(holder.name)
    expect(page.get_by_role("region", name="Shared computer")).to_be_visible()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello {holder.name}")

    ask_for_two_factors(riverton, page)
    give_the_code(page, holder, 1)
    still_me(page, then="#consent-allow")
    expect(page.get_by_role("main")).to_contain_text("Interoperation ES256 asks for some of your data")
    expect(page.get_by_role("region", name="Shared computer")).to_be_visible()

    page.goto(f"{riverton.issuer}/account")
    expect(page.get_by_role("main")).to_contain_text(holder.name)
    page.locator("#leave-now").click()
    assert_nothing_is_left(riverton, page, holder)


def test_whoever_comes_next_sees_nothing_of_the_visit(riverton: Riverton, library_computer: Page) -> None:
    """The back button, the history and the same addresses lead to pages that know nobody."""
    page, holder = library_computer, riverton.holder
    page.goto(f"{riverton.issuer}/login")
    show_the_card(riverton, page, holder)
    expect(page).to_have_url(f"{riverton.issuer}/account")
    page.goto(f"{riverton.issuer}/privacy")
    page.locator("#leave-now").click()
    for _ in range(6):
        go_back(page)
        shown = page.locator("body").inner_text()
        assert holder.name not in shown, page.url
        assert holder.card_number not in shown, page.url
    for path in ("/account", "/privacy", "/account/sign-in"):
        page.goto(f"{riverton.issuer}{path}")
        expect(page.locator("#login-submit")).to_be_visible()
    assert_nothing_is_left(riverton, page, holder)


def go_back(page: Page) -> None:
    """The back button. Where a form led to a page, the browser keeps nothing of it and says so itself."""
    while True:
        try:
            page.go_back()
        except Error as error:
            if "Not attached to an active page" in str(error):
                page.wait_for_load_state()  # asked between two pages, before anything moved
                continue
            if "ERR_CACHE_MISS" not in str(error):
                raise
        return


def begin_at_the_library(riverton: Riverton, page: Page) -> None:
    """From the library's own page to the sign-in page."""
    page.goto(riverton.library_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()


def show_the_card(riverton: Riverton, page: Page, holder: Holder) -> None:
    """From the sign-in page by the scanner, which types an address and presses Enter, and the PIN."""
    page.get_by_role("button", name="Other ways to sign in").click()
    page.get_by_role("link", name="Card of the town").click()
    expect(page.get_by_label("Card number")).to_be_focused()
    fits(page)
    page.keyboard.type(f"{riverton.issuer}/login/card#{holder.card_number}\n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter your PIN")
    fits(page)
    page.get_by_label("PIN").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The card number or the PIN is not right")
    page.get_by_label("This is a shared computer").check()
    page.get_by_label("PIN").fill(holder.pin)
    page.get_by_role("button", name="Sign in", exact=True).click()


def ask_for_two_factors(riverton: Riverton, page: Page) -> None:
    """A service that wants the level strong sends its visitor."""
    asked = {**least_request(riverton.clients["interop-es256"]), "scope": "openid profile"}
    page.goto(f"{riverton.issuer}/authorize?{urlencode({**asked, 'acr_values': 'strong'})}")
    still_me(page, then="#level-raise")
    page.locator("#level-raise").click()


def still_me(page: Page, *, then: str) -> None:
    """At a shared computer a service that follows asks whether it is still the same person."""
    expect(page.locator("#as-me").or_(page.locator(then))).to_be_visible()
    if page.locator("#as-me").is_visible():
        page.locator("#as-me").click()
    expect(page.locator(then)).to_be_visible()


def give_the_code(page: Page, holder: Holder, place: int) -> None:
    """Type the code with the number that the page asks for."""
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Enter code number {place}")
    fits(page)
    page.get_by_label(f"Code number {place}").fill(holder.paper_codes[place - 1])
    page.get_by_role("button", name="Continue").click()


def fits(page: Page) -> None:
    """Nothing runs off the side of a small screen."""
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 640})
    assert overflow(page) == []
    if before is not None:
        page.set_viewport_size(before)


def assert_nothing_is_left(riverton: Riverton, page: Page, holder: Holder) -> None:
    """No cookie that names or remembers anybody, nothing in the browser's storage, and nobody signed in."""
    state = page.context.storage_state()
    host = riverton.issuer.partition("://")[2].partition(":")[0]
    names = {cookie["name"] for cookie in state["cookies"] if cookie["domain"] == host}
    assert not {name for name in names if "session" in name or "device" in name}, names
    assert state["origins"] == []
    assert holder.card_number not in str(state)
    page.goto(f"{riverton.issuer}/account")
    expect(page.locator("#login-submit")).to_be_visible()
