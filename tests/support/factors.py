"""Second factors in tests: setting up an app, what it shows, recovery codes, codes that were sent."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from idp.login.otp.rules import STEP, code_at
from tests.support.told import told

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Person, Town

APPS = "/account/sign-in/apps"
RECOVERY_CODES = "/account/sign-in/recovery-codes"


def add_app(browser: Browser, name: str = "My app") -> str:
    """Set up an app for the resident who is signed in; its secret. The code of the present step is spent by it."""
    browser.get(f"{APPS}/new")
    page = browser.follow(browser.submit(APPS, name=name))
    assert page.status_code == 200, page.text[:3000]
    secret = html.unescape(
        re.findall(r'<code class="dz-key"[^>]*>([A-Z2-7 ]+)</code>', page.text)[0]
    ).replace(" ", "")
    path = page.request.path
    answer = browser.submit(path, code=shown(browser.town, secret))
    assert answer.headers.get("Location") == "/account/sign-in?done=app-added", answer.text[:3000]
    return secret


def shown(town: Town, secret: str, steps: int = 0) -> str:
    """What an app with this secret shows now, or so many steps later."""
    return code_at(secret, int(town.clock()) // STEP + steps)


def with_app(town: Town, person: Person) -> str:
    """Give a resident an app and let its first code grow old; its secret."""
    browser = town.browser()
    browser.get("/login")
    browser.sign_in(person)
    secret = add_app(browser)
    browser.get("/logout")
    browser.submit("/logout")
    town.clock.advance(2 * STEP)
    return secret


def new_recovery_codes(browser: Browser) -> list[str]:
    """Make recovery codes for the resident who is signed in."""
    browser.get(RECOVERY_CODES)
    page = browser.submit(RECOVERY_CODES)
    assert page.status_code == 200, page.text[:3000]
    return re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", page.text)


def after_password(browser: Browser, person: Person, path: str = "/login") -> TestResponse:
    """Prove the password; the page that follows."""
    browser.get(path)
    answer = browser.submit("/login", username=person.username, password=person.password)
    assert answer.status_code == 303, answer.text[:3000]
    return browser.follow(answer)


def attempt_of(answer: TestResponse) -> str:
    """The handle in the address of a page, or of where it leads."""
    target = answer.headers.get("Location") or answer.request.full_path
    return parse_qs(urlsplit(target).query)["attempt"][0]


def sent_code(town: Town) -> str:
    """The digits of the code that was sent last."""
    return str(told(town, "sign_in_code")[-1].values["code"]).replace(" ", "")


def sent_link(town: Town) -> str:
    """The path of the link that was sent last."""
    return told(town, "sign_in_code")[-1].link


def ask_for_code(browser: Browser, name: str, channel: str = "email", query: str = "") -> TestResponse:
    """Choose a code instead of the password and ask for one; the page that asks for it."""
    browser.follow(browser.get(f"/login/other{query}"))
    assert browser.last is not None
    page = browser.get(f"/login/{channel}-code?attempt={attempt_of(browser.last)}")
    assert page.status_code == 200, page.text[:3000]
    return browser.follow(browser.submit(f"/login/{channel}-code", username=name, send="1"))
