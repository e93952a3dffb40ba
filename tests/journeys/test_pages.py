"""Every page that a resident can meet: accessible, readable on the narrowest phone, in every language, and small."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import expect

from idp.login.otp.rules import STEP, code_at
from idp.settings import LANGUAGES
from tests.journeys.people import sign_in
from tests.support.riverton import least_request, until
from tests.support.watching import DESK, NARROWEST, PHONE, flaws, overflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.riverton import Riverton

#: As long as names and addresses get, with letters of two directions.
GIVEN, FAMILY = "ليلى", "Wolfeschlegelsteinhausenbergerdorff"
PASSWORD = "seven boats under a bridge"
#: experience.md: a page of the sign-in flow, with its styles, on a slow line; in bytes.
BUDGET = 60_000
#: Less than the styles alone weigh, so that a broken scale shows.
NOTHING = 10_000

_MIRROR = """() => { document.documentElement.dir = "rtl"; }"""
_MIRROR_BACK = """() => { document.documentElement.dir = "ltr"; }"""
_IS_MIRRORED = """() => {
    const {left, right} = document.querySelector(".dz-town").getBoundingClientRect();
    return left + right > document.documentElement.clientWidth;
}"""
_WEIGHT = """() => ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


class Tour:
    """A walk past all pages in one language. What is wrong is collected, so that one page hides no other."""

    def __init__(self, riverton: Riverton, page: Page, language: str) -> None:
        self.riverton, self.page, self.language = riverton, page, language
        self.email = f"{language}.maximiliane.{FAMILY.lower()}@post.riverton.example"
        # What axe finds hardly depends on the language, and it takes its time.
        self.widths = (PHONE, DESK) if language == LANGUAGES[0] else (PHONE,)
        self.flaws: list[str] = []
        self.seen: set[tuple[str, str]] = set()

    def look(self, name: str) -> None:
        """Judge the page as it stands."""
        page, before = self.page, self.page.viewport_size
        until(lambda: self._shown() not in self.seen, f"a page comes that was not seen before: {name}")
        self.seen.add(self._shown())
        found = flaws(page, language=self.language, widths=self.widths)
        page.set_viewport_size({"width": NARROWEST, "height": 640})
        found += [f"{NARROWEST} px: {line}" for line in overflow(page)]
        page.evaluate(_MIRROR)
        found += [f"{NARROWEST} px, right to left: {line}" for line in overflow(page)]
        if not page.evaluate(_IS_MIRRORED):
            found.append("right to left: the name of the town stays on the left")
        page.evaluate(_MIRROR_BACK)
        assert before is not None
        page.set_viewport_size(before)
        self.flaws += [f"{name}: {line}" for line in found]

    def visit(self, path: str, name: str, status: int = 200) -> None:
        """Open a page of the town and judge it."""
        answer = self.page.goto(f"{self.riverton.issuer}{path}")
        assert answer is not None
        assert answer.status == status, (path, answer.status)
        self.look(name)

    def _shown(self) -> tuple[str, str]:
        """The page by its address and its words, once it is whole."""
        self.page.wait_for_load_state()
        return self.page.url, self.page.locator("main").inner_text()

    def press(self, button: str, name: str = "") -> None:
        """Press a button, by its id, and judge the page that comes."""
        self.page.click(f"#{button}")
        if name:
            self.look(name)

    # --- the stages ---

    def pages_for_everybody(self) -> None:
        """What needs no account."""
        self.visit("/", "start")
        self.visit("/login", "sign-in without a service")
        self.visit("/login/other", "other ways to sign in")
        self.page.click("a[href^='/login/email-code']")
        self.look("code by e-mail")
        self.page.fill("#username", "nobody")
        self.press("login-send", "code by e-mail, sent")
        self.press("login-submit", "code by e-mail, nothing typed")
        self.visit("/login/link?token=bygone", "link of a code that is over", 410)
        self.visit("/help", "help")
        self.visit("/help/sign-in", "help with signing in")
        self.visit("/accessibility", "accessibility")
        self.visit("/privacy-statement", "privacy statement")
        self.visit("/nothing-here", "unknown page", 404)
        self.visit(f"/authorize?{urlencode({'client_id': 'nobody'})}", "unknown service", 400)
        self.visit("/login?flow=bygone", "sign-in that has ended", 400)
        self.visit("/signup/confirm?token=bygone", "sign-up link that has ended", 410)

    def signing_up(self) -> None:
        """From the library to an account, with every mistake on the way."""
        page = self.page
        page.goto(f"{self.riverton.library_url}/sign-in")
        self.look("sign-in")
        self.press("login-submit", "sign-in with nothing typed")
        page.fill("#username", "nobody")
        page.fill("#password", "a wrong password")
        self.press("login-submit", "sign-in with a wrong password")
        page.click("a[href^='/signup']")
        self.look("sign-up")
        self.press("signup-submit", "sign-up with nothing typed")
        page.fill("#email", self.email)
        self.press("signup-submit", "sign-up, mail sent")
        page.goto(self.riverton.link_in_mail(self.email, "/signup/confirm"))
        self.look("sign-up, names and password")
        self.press("signup-finish", "sign-up, names and password missing")
        page.fill("#given_name", GIVEN)
        page.fill("#family_name", FAMILY)
        page.fill("#password", PASSWORD)
        self.press("signup-finish", "release")

    def releases(self) -> None:
        """The release pages of services of every kind."""
        page = self.page
        page.check("input[name=share]")
        page.click("#consent-allow")
        page.goto(f"{self.riverton.tax_url}/sign-in")
        self.look("release, a public task and a consent")
        page.click("#consent-allow")
        expect(page).to_have_url(f"{self.riverton.tax_url}/")
        told = {**least_request(self.riverton.clients["interop-rs256"]), "scope": "openid profile email"}
        page.goto(f"{self.riverton.issuer}/authorize?{urlencode(told)}")
        self.look("release, for information only")

    def devices(self) -> None:
        """A device without a keyboard, let in and turned away."""
        page, issuer = self.page, self.riverton.issuer
        self.visit("/device", "code of a device")
        self.press("device-submit", "code of a device, nothing typed")
        form = {"client_id": "riverton-noticeboard", "scope": "openid profile"}
        for button, name in (("device-go", "device, let in"), ("device-cancel", "device, turned away")):
            told = requests.post(f"{issuer}/device_authorization", data=form, timeout=10).json()
            page.goto(told["verification_uri_complete"])
            self.look(f"{name}: code")
            self.press("device-submit", f"{name}: question")
            page.click(f"#{button}")
            if button == "device-go":
                page.click("#consent-allow")
            self.look(name)
        page.goto(told["verification_uri_complete"])
        self.press("device-submit", "code of a device, used")

    def ways_in(self) -> None:
        """What a resident signs in with, and the second step."""
        page = self.page
        self.visit("/account/sign-in", "ways in")
        self.freshly("/account/sign-in/codes/email", "codes by e-mail, one's choice")
        self.freshly("/account/sign-in/apps/new", "new app")
        self.press("app-add", "new app, its key")
        self.press("app-confirm", "new app, no code typed")
        secret = page.locator(".dz-key").inner_text().replace(" ", "")
        page.fill("#code", code_at(secret, int(time.time()) // STEP))
        self.press("app-confirm", "ways in, with an app")
        page.goto(f"{self.riverton.issuer}/account/sign-in/recovery-codes")
        self.prove_password()
        self.look("second step")
        page.fill("#code", code_at(secret, int(time.time()) // STEP + 1))
        self.press("login-submit", "recovery codes")
        self.press("recovery-codes-make", "new recovery codes")
        page.goto(f"{self.riverton.issuer}/account/sign-in")
        page.click("a[href^='/account/sign-in/apps/']:not([href$='new'])")
        self.look("app")

    def freshly(self, path: str, name: str) -> None:
        """Open a page for which the sign-in must be young, and judge it."""
        self.page.goto(f"{self.riverton.issuer}{path}")
        if "/login" in self.page.url:
            self.prove_password()
        self.look(name)

    def prove_password(self) -> None:
        """Sign in once more."""
        self.page.fill("#username", self.email)
        self.page.fill("#password", PASSWORD)
        self.page.click("#login-submit")

    def own_pages(self) -> None:
        """What a resident sees of their own."""
        self.visit("/", "start, signed in")
        self.visit("/account", "account")
        self.visit("/privacy", "privacy")
        self.visit("/privacy/services/riverton-library", "service")
        self.visit("/privacy/services/riverton-nowhere", "unknown service of one's own", 404)
        self.page.goto(f"{self.riverton.issuer}/privacy/services/riverton-library")
        self.press("withdraw", "withdrawn")
        self.visit("/privacy/services/riverton-library", "service, withdrawn")
        self.visit("/privacy", "privacy, withdrawn")
        self.visit("/privacy/history", "history")

    def leaving(self) -> None:
        """Signing out, asked by a service and by oneself; and a form that has grown stale."""
        self.visit("/logout?client_id=riverton-library", "sign-out for a service")
        self.visit("/logout", "sign-out")
        self.press("logout-confirm", "signed out")
        self.page.goto(f"{self.riverton.issuer}/login", wait_until="networkidle")  # its script has asked
        self.page.context.clear_cookies()
        self.press("login-submit", "form that has grown stale")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_serves_every_resident(
    riverton_demo: Riverton, reading: Callable[[str], Page], language: str
) -> None:
    """WCAG 2.2 AA by axe on a phone and a desk; no sideways scrolling at 320 px, which is also 400 % zoom (1.4.10)."""
    tour = Tour(riverton_demo, reading(language), language)
    tour.pages_for_everybody()
    tour.signing_up()
    tour.releases()
    tour.devices()
    tour.own_pages()
    tour.ways_in()
    tour.leaving()
    assert not tour.flaws, "\n".join(tour.flaws)


def test_the_pages_of_a_sign_in_are_small(riverton_demo: Riverton, resident: Page) -> None:
    """A page of the sign-in flow stays under 60 KB as transferred, with its styles and pictures."""
    page, person = resident, riverton_demo.residents["samuel.reyes"]
    page.goto(f"{riverton_demo.library_url}/sign-in")
    icon = page.locator("link[rel=icon]").get_attribute("href")
    favicon = len(requests.get(f"{riverton_demo.issuer}{icon}", timeout=10).content)
    assert NOTHING < page.evaluate(_WEIGHT) + favicon < BUDGET
    sign_in(page, person)
    expect(page.locator("#consent-allow")).to_be_visible()
    assert NOTHING < page.evaluate(_WEIGHT) + favicon < BUDGET


def test_a_mistake_takes_the_focus_and_leads_to_its_field(riverton_demo: Riverton, resident: Page) -> None:
    """WCAG 3.3.1 and 2.4.3: whoever uses a keyboard or a screen reader is at the mistake at once."""
    page = resident
    page.goto(f"{riverton_demo.issuer}/login")
    page.click("#login-submit")
    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#username")).to_be_focused()


def test_the_language_of_a_page_is_changed_without_losing_the_way(
    riverton_demo: Riverton, resident: Page
) -> None:
    """Whoever began at the library gets there in the other language, too."""
    page, person = resident, riverton_demo.residents["elena.petrova"]
    page.goto(f"{riverton_demo.library_url}/sign-in")
    page.get_by_role("link", name="Français").click()
    page.fill("#username", person.username)
    page.fill("#password", person.password)
    page.click("#login-submit")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.click("#consent-allow")
    expect(page).to_have_url(f"{riverton_demo.library_url}/")


def test_the_link_of_a_mail_works_in_another_language(riverton_demo: Riverton, resident: Page) -> None:
    """Whoever changes the language on the page behind the link can go on with it."""
    page, address = resident, "change.language@post.example"
    page.goto(f"{riverton_demo.issuer}/signup")
    page.fill("#email", address)
    page.click("#signup-submit")
    page.goto(riverton_demo.link_in_mail(address, "/signup/confirm"))
    page.get_by_role("link", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("#given_name")).to_be_visible()


def test_a_service_that_asks_to_sign_out_is_named_in_another_language(
    riverton_demo: Riverton, resident: Page
) -> None:
    """The question stays the same question."""
    page, person = resident, riverton_demo.residents["elena.petrova"]
    page.goto(f"{riverton_demo.issuer}/login")
    sign_in(page, person)
    page.goto(f"{riverton_demo.issuer}/logout?client_id=riverton-library")
    page.get_by_role("link", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("main")).to_contain_text("Riverton Public Library")
