"""Journey 9: somebody who has lost everything gets back in by letter, and is the same person everywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.journeys.people import sign_in
from tests.support.riverton import until
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Resident, Riverton

FRESH = "seven boats under a bridge"
DEAD = {"userinfo": False, "access_token": False, "refresh_token": False}
_CODE = re.compile(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}\b")


def test_a_letter_brings_back_the_same_resident_and_ends_everything_else(
    riverton: Riverton, resident: Page
) -> None:
    """The code of a real letter; the same `sub` afterwards, the old password and tokens dead, every channel told."""
    page, person, streets = resident, riverton.residents["ana.rita.duarte"], riverton.streets
    visit_the_streets(riverton, page, person, agrees=True)
    before = streets.visits[-1]
    lose_everything(page)

    ask_for_a_letter(riverton, page, person)
    code = code_in_letter(riverton, person)
    lose_everything(page)
    type_the_code(riverton, page, code)
    choose_a_password(page)

    assert streets.is_alive(before) == DEAD
    assert streets.refresh(before)["error"] == "invalid_grant"
    until(lambda: "A new password was chosen" in told(riverton, person), "the owner is told")
    assert "asked for a letter" in told(riverton, person)
    assert told(riverton, person).count(f"{riverton.issuer}/not-me/") > 1

    page.goto(f"{riverton.issuer}/login")
    sign_in(page, person)
    expect(page.get_by_role("alert")).to_contain_text("not right")
    visit_the_streets(riverton, page, replace(person, password=FRESH), agrees=False)
    assert streets.visits[-1].userinfo["sub"] == before.userinfo["sub"]

    take_the_former_password_again(riverton, page, person)
    lose_everything(page)
    page.goto(f"{riverton.issuer}/recover/letter")
    page.get_by_label("Code in the letter").fill(code)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("works no more")
    look(page)


def lose_everything(page: Page) -> None:
    """The device is gone: another one knows nothing."""
    page.context.clear_cookies()


def visit_the_streets(riverton: Riverton, page: Page, person: Resident, *, agrees: bool) -> None:
    """Report a lamp; the first time the resident is asked what to share."""
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, person)
    if agrees:
        page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")


def ask_for_a_letter(riverton: Riverton, page: Page, person: Resident) -> None:
    """From the sign-in page to "wait for the letter"."""
    page.goto(f"{riverton.issuer}/login")
    page.get_by_role("link", name="I cannot sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Get back into your account")
    look(page)
    page.get_by_label("E-mail address, phone number or user name").fill(person.username)
    page.get_by_label("With a letter to my postal address").check()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Wait for the letter")
    look(page)


def code_in_letter(riverton: Riverton, person: Resident) -> str:
    """The code, as it is printed."""
    until(lambda: bool(riverton.letters(person.name)), "the letter is written")
    (letter,) = riverton.letters(person.name)
    return _CODE.findall(letter)[0]


def type_the_code(riverton: Riverton, page: Page, code: str) -> None:
    """Days later, on another device, in small letters and with blanks."""
    page.goto(f"{riverton.issuer}/recover")
    page.get_by_role("link", name="I have a letter with a code").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your letter")
    look(page)
    page.get_by_label("Code in the letter").fill(code.lower().replace("-", " "))
    page.get_by_role("button", name="Go on").click()


def choose_a_password(page: Page) -> None:
    """The last step."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    look(page)
    page.get_by_label("New password").fill(FRESH)
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new password works")
    look(page)


def take_the_former_password_again(riverton: Riverton, page: Page, person: Resident) -> None:
    """For the other tests that this resident appears in."""
    page.goto(f"{riverton.issuer}/account/password")
    page.get_by_label("New password").fill(person.password)
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_role("status")).to_be_visible()


def told(riverton: Riverton, person: Resident) -> str:
    """Every mail to somebody."""
    return "\n".join(riverton.mails(person.email))
