"""Signing out in a real browser, at the partners of the sample town: by frames, behind the browser, and watched."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from playwright.sync_api import expect

from tests.journeys.people import sign_in
from tests.support.riverton import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Riverton


def sign_in_at(page: Page, riverton: Riverton, username: str, arrived: str) -> None:
    """Through whatever pages of the town come, until the partner shows `arrived`."""
    expect(page.locator(f"#login-submit, #consent-allow, {arrived}").first).to_be_visible()
    if page.locator("#login-submit").count():
        sign_in(page, riverton.residents[username])
    expect(page.locator(f"#consent-allow, {arrived}").first).to_be_visible()
    if page.locator("#consent-allow").count():
        page.click("#consent-allow")
    expect(page.locator(arrived)).to_be_visible()


def visit_streets(riverton: Riverton, page: Page, username: str) -> None:
    """Sign in at the street-report app, and agree."""
    page.goto(f"{riverton.streets.url}/sign-in")
    sign_in_at(page, riverton, username, "h1:has-text('Thank you, your report has arrived')")


def test_signing_out_at_the_library_signs_out_at_the_tax_portal(riverton: Riverton, page: Page) -> None:
    """Back-channel logout, seen by the resident: no page of the tax portal was open."""
    for site in (riverton.library_url, riverton.tax_url):
        page.goto(site)
        page.click("#sign-in")
        sign_in_at(page, riverton, "layla.haddad", "#account")
    page.goto(riverton.library_url)
    page.click("#sign-out")
    expect(page.locator("#signed-out")).to_be_visible()

    def reloaded() -> bool:
        page.goto(riverton.tax_url)
        return page.locator("#signed-out-elsewhere").count() == 1

    until(reloaded, "the tax portal was told")
    expect(page.locator("main")).to_contain_text("You signed out of your Riverton account")
    page.goto(riverton.library_url)
    assert not page.locator("#signed-out-elsewhere").count(), "it asked for it, and knows nobody"


def test_frames_tell_partners_and_then_the_browser_goes_on(riverton: Riverton, page: Page) -> None:
    """Front-Channel Logout 1.0 §2, §3: `iss` and `sid` and nothing else, in this browser; no script does it."""
    streets = riverton.streets
    visit_streets(riverton, page, "layla.haddad")
    before, sid = len(streets.ended), streets.visits[-1].id_token["sid"]
    query = {
        "id_token_hint": streets.visits[-1].tokens["id_token"],
        "post_logout_redirect_uri": f"{streets.url}/bye",
        "state": "a&b=ü" * 20,
    }
    page.goto(f"{riverton.issuer}/logout?{urlencode(query)}")
    page.wait_for_url(f"{streets.url}/bye?state={quote(query['state'])}")
    (told,) = streets.ended[before:]
    assert told == {"iss": riverton.issuer, "sid": sid, "cookie": told["cookie"]}
    assert told["cookie"], "the frame has the partner's cookies, on the same site at least"
    page.goto(f"{streets.url}/sign-in")
    expect(page.locator("#login-submit")).to_be_visible()


def test_without_an_address_to_go_to_the_page_stays(riverton: Riverton, page: Page) -> None:
    """Signed out on our own page: partners are told in frames all the same."""
    visit_streets(riverton, page, "layla.haddad")
    before = len(riverton.streets.ended)
    page.goto(f"{riverton.issuer}/account/devices")
    page.goto(f"{riverton.issuer}/logout")
    page.click("#logout-confirm")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    expect(page.locator("main")).to_contain_text("are being told")
    page.wait_for_load_state("load")
    assert len(riverton.streets.ended) == before + 1
    assert page.locator("iframe").count() == 1
    assert not page.locator("iframe").is_visible()


def test_a_partners_page_sees_that_the_session_has_changed(riverton: Riverton, page: Page) -> None:
    """Session Management 1.0 §3: unchanged while it goes on, changed when somebody signs out, in another tab."""
    streets = riverton.streets
    visit_streets(riverton, page, "layla.haddad")
    state = streets.visits[-1].session_state
    page.goto(f"{streets.url}/watch")
    told = page.locator("#told")
    expect(told).to_have_text("unchanged")
    other = page.context.new_page()
    other.goto(f"{riverton.issuer}/account")
    expect(told).to_have_text("unchanged")
    other.goto(f"{riverton.issuer}/logout")
    other.click("#logout-confirm")
    expect(told).to_have_text("changed")
    visit_streets(riverton, other, "layla.haddad")
    page.reload()  # what it was told of now
    expect(told).to_have_text("unchanged")
    for asked, answer in (
        (f"riverton-streets {state}", "changed"),
        (f"riverton-library {streets.visits[-1].session_state}", "changed"),
        (state, "error"),
        ("riverton-streets x", "error"),
        ("", "unchanged"),  # the page's own
    ):
        page.goto(f"{streets.url}/watch?asked={quote(asked)}")
        expect(told).to_have_text(answer)


def test_where_cookies_are_kept_from_frames_nobody_is_signed_out_for_it(
    riverton: Riverton, page: Page
) -> None:
    """A browser that tells the frame nothing gets `error`, at which a partner must do nothing (§3.1)."""
    streets = riverton.streets
    visit_streets(riverton, page, "layla.haddad")
    page.add_init_script("Document.prototype.hasStorageAccess = async () => false")
    page.goto(f"{streets.url}/watch")
    expect(page.locator("#told")).to_have_text("unchanged")
    page.context.clear_cookies(name="denizen-browser-state")
    page.reload()
    expect(page.locator("#told")).to_have_text("error")
