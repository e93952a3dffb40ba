"""What residents do on many journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Resident


def sign_in(page: Page, person: Resident) -> None:
    """Fill in the sign-in page that is shown, and send it."""
    page.get_by_label("E-mail address or user name").fill(person.username)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def load_again(page: Page) -> None:
    """The reload button. Between two pages the browser would refuse, so it comes to rest first."""
    page.wait_for_load_state()
    page.reload()
