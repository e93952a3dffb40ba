"""Lakeside, the demo's provider upstream, tried by hand in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Riverton


def test_a_resident_connects_lakeside_and_signs_in_with_it(riverton_demo: Riverton, page: Page) -> None:
    """identity.md: each factor can be tried in the demo; this one with two clicks, after it was connected once."""
    issuer, person = riverton_demo.issuer, riverton_demo.residents["ana.duarte"]
    page.goto(f"{issuer}/login")
    page.click("#upstream-lakeside")
    page.click("#lakeside-1")
    page.click("#upstream-link")
    page.fill("#username", person.username)
    page.fill("#password", person.password)
    page.click("#login-submit")
    page.click("#connect-submit")
    page.wait_for_url(f"{issuer}/account**")
    page.context.clear_cookies()
    page.goto(f"{issuer}/login")
    page.click("#upstream-lakeside")
    page.click("#lakeside-1")
    page.wait_for_url(f"{issuer}/account**")
    assert person.name in page.content()


def test_turning_back_at_lakeside_leads_to_the_sign_in_page(riverton_demo: Riverton, page: Page) -> None:
    """The way back is plain, and another way in is at hand."""
    page.goto(f"{riverton_demo.issuer}/login")
    page.click("#upstream-lakeside")
    page.click("#cancel")
    page.wait_for_url("**/login?**")
    assert "You did not sign in with Lakeside" in page.content()


def test_lakeside_answers_nobody_but_riverton(riverton_demo: Riverton, page: Page) -> None:
    """A provider sends people to the one address that is registered with it."""
    page.goto(f"{riverton_demo.issuer}/login")
    page.click("#upstream-lakeside")
    page.wait_for_url("**login%2Fupstream**")
    url = page.url.replace("login%2Fupstream", "elsewhere")
    assert requests.get(url, timeout=10).status_code == 400
