"""Passkeys in Chromium with its virtual authenticator, against a town that is really served."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.watching import look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession, Page

    from tests.support.riverton import Resident, Riverton


class Device:
    """A telephone or computer that keeps passkeys and whose owner unlocks it (CDP WebAuthn)."""

    def __init__(self, page: Page, **traits: Any) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        traits = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": False,
            **traits,
        }
        made = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": traits})
        self._id = made["authenticatorId"]

    def touch(self, *, present: bool = True) -> None:
        """The owner is there and unlocks it from now on, whenever a page asks; or is not."""
        values = {"authenticatorId": self._id, "enabled": present}
        self._cdp.send("WebAuthn.setAutomaticPresenceSimulation", values)

    def unlock_fails(self) -> None:
        """A wrong finger from now on."""
        self._cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": False})

    def credentials(self) -> list[dict[str, Any]]:
        """What it keeps."""
        values = {"authenticatorId": self._id}
        found: list[dict[str, Any]] = self._cdp.send("WebAuthn.getCredentials", values)["credentials"]
        return found


def sign_in_by_password(page: Page, riverton: Riverton, person: Resident) -> None:
    """Sign in on the town's own page."""
    page.goto(f"{riverton.issuer}/login")
    page.get_by_label("E-mail address or user name").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def add_passkey(page: Page, device: Device, name: str) -> None:
    """From the account page to a passkey of that name."""
    page.get_by_role("link", name="Your ways to sign in").click()
    page.get_by_role("link", name="Add a passkey").click()
    look(page)
    page.get_by_label("Name of the passkey").fill(name)
    device.touch()
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is added")
    device.touch(present=False)


def sign_out(page: Page, riverton: Riverton) -> None:
    page.goto(f"{riverton.issuer}/logout")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/logged-out"))


@pytest.fixture
def person(riverton: Riverton, request: pytest.FixtureRequest) -> Resident:
    """A resident whom no other test of this file uses."""
    return riverton.residents[request.param]


@pytest.mark.parametrize("person", ["ana.rita.duarte"], indirect=True)
def test_a_resident_adds_a_passkey_and_signs_in_with_it_to_a_partner(
    riverton: Riverton, page: Page, person: Resident
) -> None:
    """identity.md: the first thing offered; the partner's request goes on, and nothing is typed."""
    device = Device(page)
    sign_in_by_password(page, riverton, person)
    look(page)
    add_passkey(page, device, "My laptop")
    expect(page.get_by_role("main")).to_contain_text("My laptop")
    look(page)
    page.get_by_role("link", name="Change: My laptop").click()
    look(page)
    (kept,) = device.credentials()
    assert (kept["isResidentCredential"], kept["rpId"]) == (True, "localhost")
    sign_out(page, riverton)

    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    button = page.get_by_role("button", name="Sign in with a passkey")
    expect(button).to_be_visible()
    look(page)
    device.touch()
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Riverton Street Reports asks for some of your data"
    )
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")
    told = riverton.streets.visits[-1].id_token
    assert (told["acr"], told["amr"]) == ("phr", ["hwk", "user"])


@pytest.mark.parametrize("person", ["kartika"], indirect=True)
def test_the_tick_for_a_shared_computer_holds_for_a_passkey(
    riverton: Riverton, page: Page, person: Resident
) -> None:
    """It stands in the form for the password, and is meant for the page; the session shows its way out."""
    device = Device(page)
    sign_in_by_password(page, riverton, person)
    add_passkey(page, device, "Key ring")
    sign_out(page, riverton)
    page.goto(f"{riverton.issuer}/login")
    page.get_by_label("This is a shared computer").check()
    device.touch()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    expect(page.locator("#leave-now")).to_be_visible()


@pytest.mark.parametrize("person", ["samuel.reyes"], indirect=True)
def test_whoever_is_not_verified_reads_so_and_still_has_the_password(
    riverton: Riverton, page: Page, person: Resident
) -> None:
    """The device refuses; the page says what to do, and the other way in is on it."""
    device = Device(page)
    sign_in_by_password(page, riverton, person)
    add_passkey(page, device, "Telephone")
    device.touch()
    page.get_by_role("link", name="Add a passkey").click()  # asks for the passkey first
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a passkey")
    device.touch()
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("This device has a passkey for your account already.")
    look(page)
    device.touch(present=False)
    sign_out(page, riverton)
    page.goto(f"{riverton.issuer}/login")
    device.unlock_fails()
    device.touch()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("No passkey was used. Try again, or use your password.")
    look(page)
    page.get_by_label("E-mail address or user name").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


@pytest.mark.parametrize("person", ["jean.lefevre"], indirect=True)
def test_a_passkey_is_suggested_for_the_user_name_and_opens_nothing_once_removed(
    riverton: Riverton, page: Page, person: Resident
) -> None:
    """Conditional UI: the page waits for a passkey while it is open; choosing one signs in, until it is removed."""
    device = Device(page)
    sign_in_by_password(page, riverton, person)
    add_passkey(page, device, "Telephone")
    sign_out(page, riverton)
    device.touch()
    page.goto(f"{riverton.issuer}/login")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    page.get_by_role("link", name="Your ways to sign in").click()
    page.get_by_role("link", name="Change: Telephone").click()
    page.get_by_role("button", name="Remove this passkey").click()
    expect(page.get_by_role("status")).to_contain_text("The passkey is removed")
    sign_out(page, riverton)
    page.goto(f"{riverton.issuer}/login")  # the device still has it, and offers it by itself
    expect(page.get_by_role("alert")).to_contain_text("Signing in with a passkey did not work")


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A browser without JavaScript."""
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("person", ["layla.haddad"], indirect=True)
def test_without_javascript_the_password_is_the_way_in(
    riverton: Riverton, plain: Page, person: Resident
) -> None:
    """No button that does nothing; the page for a new passkey says what it needs."""
    plain.goto(f"{riverton.issuer}/login")
    expect(plain.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    expect(plain.get_by_text("or use your password", exact=True)).to_be_hidden()
    sign_in_by_password(plain, riverton, person)
    plain.get_by_role("link", name="Your ways to sign in").click()
    plain.get_by_role("link", name="Add a passkey").click()
    expect(plain.get_by_role("main")).to_contain_text("needs a newer browser, with JavaScript switched on")
    expect(plain.get_by_role("button", name="Make a passkey")).to_be_hidden()
