"""A resident who signed in at a client of the suite and leaves by its wish, as the scripted browser sees it."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tests.conformance.client import refusal
from tests.conformance.pages import form_with

if TYPE_CHECKING:
    from tests.conformance.browser import Arrival, Browser
    from tests.conformance.client import Client, SignIn
    from tests.conformance.suite import Suite
    from tests.conformance.transport import Got

_FRAME = re.compile(r'<iframe[^>]*\ssrc="([^"]+)"')
_REFRESH = re.compile(r'<meta http-equiv="refresh" content="\d+;url=([^"]+)">')


@dataclass
class Leaving:
    """`found` is the sign-in before."""

    suite: Suite
    client: Client
    browser: Browser
    found: SignIn
    back: str

    @property
    def wish(self) -> dict[str, str]:
        """What the suite asks the end_session_endpoint with, unless a module changes it; a state of 128 letters."""
        return {
            "id_token_hint": self.found.id_token,
            "post_logout_redirect_uri": self.back,
            "state": secrets.token_urlsafe(96),
        }

    def ask(self, wish: dict[str, str]) -> Arrival:
        """Send the browser to the end_session_endpoint."""
        return self.browser.visit(self.suite.metadata["end_session_endpoint"], wish)

    def confirm(self, arrival: Arrival) -> Arrival:
        """Press the button of the page that asks, if it is shown."""
        page = arrival.page
        if page is None or form_with(page.text, "logout-confirm") is None:
            return arrival
        return self.browser.press(page, "logout-confirm")

    def stays(self, arrival: Arrival) -> Got:
        """The page at which the browser ends, which is one of the town and leads to no address of the suite."""
        for one in (arrival, self.confirm(arrival)):
            assert one.page is not None, one.url
            assert not goes_on_to(one.page)
            assert f'href="{self.back}' not in unescape(one.page.text)
        return one.page

    def assert_signed_out(self) -> None:
        """Prompt=none fails as it does without a session."""
        request = self.client.request(prompt="none")
        expected = {
            "login_required",
            "interaction_required",
            "consent_required",
            "account_selection_required",
        }
        assert refusal(self.client.visit(self.browser, request), request) in expected


def signed_in(suite: Suite, client: Client | None = None, back: str = "") -> Leaving:
    """A fresh browser with a session at a client."""
    client, browser = client or suite.client(), suite.browser()
    back = back or client.told["post_logout_redirect_uris"][0]
    return Leaving(suite, client, browser, client.sign_in(browser), back)


def frames_of(page: Got) -> list[str]:
    """The addresses that a page loads in frames."""
    return [unescape(one) for one in _FRAME.findall(page.text)]


def goes_on_to(page: Got) -> str:
    """Where a page sends the browser by itself; empty for nowhere."""
    found = _REFRESH.search(page.text)
    return unescape(found[1]) if found else ""


def parameters_of(url: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), url
    return dict(pairs)


def without_signature(id_token: str) -> str:
    """An ID token of which the algorithm was made `none`."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{head}.{id_token.split('.')[1]}."
