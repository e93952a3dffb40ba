"""What a browser with a script does about passkeys, without a screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.authenticator import Authenticator
    from tests.support.town import Browser, Person

SIGN_IN, ADD = "/login/passkey", "/account/passkeys"


def open_sign_in(browser: Browser, path: str = "/login") -> dict[str, str]:
    """Open the sign-in page; the fields of its form for passkeys."""
    page = browser.get(path)
    assert page.status_code == 200, page.status_code
    return hidden_fields(page.text, SIGN_IN)


def options(browser: Browser, path: str, fields: dict[str, str]) -> dict[str, Any]:
    """The options that the script of a page fetches."""
    answer = browser.post(f"{path}/options", fields)
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), answer.text[:2000]
    found: dict[str, Any] = answer.json
    return found


def hand_over(
    browser: Browser, path: str, fields: dict[str, str], credential: Any, **more: str
) -> TestResponse:
    """Send the form with what the device answered."""
    text = credential if isinstance(credential, str) else json.dumps(credential)
    return browser.post(path, {**fields, "credential": text, **more})


def new_page(browser: Browser) -> dict[str, str]:
    """Open the page for a new passkey; the fields of its form."""
    return hidden_fields(browser.get(f"{ADD}/new").text, ADD)


def add_passkey(browser: Browser, device: Authenticator, name: str = "My telephone") -> TestResponse:
    """Add a passkey of the resident who is signed in."""
    fields = new_page(browser)
    made = device.create(options(browser, ADD, fields))
    answer = hand_over(browser, ADD, fields, made, name=name)
    assert answer.headers.get("Location") == "/account/sign-in?done=passkey-added", answer.text[:3000]
    return answer


def enrol(browser: Browser, person: Person, device: Authenticator, name: str = "My telephone") -> None:
    """Sign in by password, add a passkey, and sign out again."""
    browser.get("/login")
    browser.sign_in(person)
    add_passkey(browser, device, name)
    browser.get("/logout")
    browser.submit("/logout")


def sign_in(browser: Browser, device: Authenticator, path: str = "/login", **more: Any) -> TestResponse:
    """Sign in with a passkey on the page at `path`; `more` goes to the device."""
    fields = open_sign_in(browser, path)
    return hand_over(browser, SIGN_IN, fields, device.get(options(browser, SIGN_IN, fields), **more))
