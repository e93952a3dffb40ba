"""Journey 1: a new resident signs up at the library, and is in at the tax portal without signing in again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Riverton

ADDRESS = "amina.diallo@post.example"
PASSWORD = "seven boats under a bridge"


def test_a_new_resident_signs_up_once_and_is_known_at_two_services(
    riverton: Riverton, resident: Page
) -> None:
    """From the library's own page to an account, by a real mail, and back; the second service asks no password."""
    page = resident
    begin_at_the_library(riverton, page)
    page.get_by_label("E-mail address").fill(ADDRESS)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    look(page)

    page.goto(riverton.link_in_mail(ADDRESS, "/signup/confirm"))
    look(page)
    page.get_by_label("First name").fill("Amina")
    page.get_by_label("Last name (if you have one)").fill("Diallo")
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()

    asked = "Riverton Public Library asks for some of your data"
    expect(page.get_by_role("heading", level=1)).to_have_text(asked)
    expect(page.get_by_role("main")).to_contain_text("Amina Diallo")
    look(page)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page).to_have_url(f"{riverton.library_url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Amina Diallo")

    page.goto(riverton.tax_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()
    expect(page.get_by_role("main")).to_contain_text("Signed in as Amina Diallo")
    look(page)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page).to_have_url(f"{riverton.tax_url}/")
    expect(page.get_by_role("main")).to_contain_text(ADDRESS)

    page.goto(f"{riverton.issuer}/account")
    expect(page.get_by_role("main")).to_contain_text(ADDRESS)
    look(page)


def begin_at_the_library(riverton: Riverton, page: Page) -> None:
    """From the library to the first page of signing up."""
    page.goto(riverton.library_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()
    expect(page).to_have_url(re.compile(re.escape(f"{riverton.issuer}/login?")))
    look(page)
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Create an account")
    look(page)
