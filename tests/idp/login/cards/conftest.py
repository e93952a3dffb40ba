"""A resident with a card: Jun, who has neither a password nor an address any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from idp.login.cards import service
from idp.login.passwords import Passwords

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from idp.login.cards.service import Printed
    from tests.support.town import Browser, Town


@dataclass(frozen=True)
class Holder:
    """What somebody has on paper."""

    town: Town
    resident_id: str
    printed: Printed

    def number(self, browser: Browser, number: str | None = None) -> TestResponse:
        """Give the number on the page shown last, or on a fresh one."""
        if browser.last is None or 'action="/login/card"' not in browser.last.text:
            browser.get("/login/card")
        return browser.submit("/login/card", card_number=number or self.printed.number)

    def pin(self, browser: Browser, pin: str | None = None) -> TestResponse:
        return browser.submit("/login/card", pin=pin or self.printed.pin)

    def sign_in(self, browser: Browser) -> TestResponse:
        self.number(browser)
        return self.pin(browser)

    def code(self, browser: Browser, place: int, **change: str) -> TestResponse:
        """Answer the page that asks for a code with the one of that number."""
        return browser.submit("/login/paper-code", **{"code": self.printed.codes[place - 1], **change})


def issue(town: Town, resident_id: str) -> Holder:
    """Issue a card; what is printed is known to the test alone."""
    context = town.context
    made = service.make(Passwords(context.settings.passwords, context.vault.subkey("password-pepper")))
    with context.database.transaction() as session:
        service.issue(session, context.vault, resident_id, made, now=int(town.clock()))
    return Holder(town, resident_id, made.printed)


@pytest.fixture
def holder(town: Town) -> Holder:
    """Jun's card."""
    return issue(town, town.jun.resident_id)
