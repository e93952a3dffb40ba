"""Devices without a keyboard: what they send, and how a resident answers them in a browser."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from idp.clients.metadata import DEVICE_GRANT
from idp.clients.service import NewClient
from tests.support.settled import _database
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Partner, Town

SCOPE = "openid profile email offline_access"
SCOPES = ("openid", "profile", "email", "offline_access", "tax:read")


@dataclass
class Device:
    """A device of a client that has asked; `told` is what it was told."""

    town: Town
    partner: Partner
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def user_code(self) -> str:
        code: str = self.told["user_code"]
        return code

    @property
    def address(self) -> str:
        """`verification_uri_complete`, as a path."""
        parts = urlsplit(self.told["verification_uri_complete"])
        return f"{parts.path}?{parts.query}"

    def poll_form(self, **change: str) -> dict[str, str]:
        return {"grant_type": DEVICE_GRANT, "device_code": self.told["device_code"], **change}

    def poll(self, headers: dict[str, str] | None = None, **change: str) -> TestResponse:
        """Ask whether the resident has answered."""
        return self.town.call("/token", self.partner, self.poll_form(**change), headers=headers or {})

    def error(self) -> str:
        """The error of a poll."""
        answer = self.poll()
        assert answer.status_code == 400, answer.text
        error: str = answer.json["error"]
        return error

    def tokens(self) -> dict[str, Any]:
        """What the device gets once it is allowed."""
        answer = self.poll()
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


def ask(town: Town, partner: Partner, scope: str = SCOPE, **more: str) -> TestResponse:
    """The request of a device as it stands."""
    return town.call("/device_authorization", partner, {"scope": scope, **more})


def begin(town: Town, partner: Partner, scope: str = SCOPE, **more: str) -> Device:
    """A device that has asked for its codes."""
    answer = ask(town, partner, scope, **more)
    assert answer.status_code == 200, answer.text
    return Device(town, partner, answer.json)


def enter(browser: Browser, code: str) -> TestResponse:
    """Type a code on its page; the page that follows."""
    browser.get("/device")
    return browser.follow(browser.submit("/device", user_code=code))


def confirm(browser: Browser) -> TestResponse:
    """Say that it is one's own device."""
    return browser.follow(browser.submit("/device/confirm", decision="go"))


def allow(browser: Browser, device: Device) -> TestResponse:
    """Everything that a resident does for their device; the last page."""
    answer = enter(browser, device.user_code)
    if 'action="/login"' in answer.text:
        answer = browser.follow(browser.sign_in(device.town.maria))
    assert 'action="/device/confirm"' in answer.text, answer.text
    answer = confirm(browser)
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    return answer


def screen(town: Town) -> Partner:
    """A public client that runs on screens in the streets."""
    return town.add_client(
        NewClient(
            "Riverton Screens",
            client_id="screens",
            application_type="native",
            token_endpoint_auth_method="none",
            grant_types=(DEVICE_GRANT, "refresh_token"),
            scopes=SCOPES,
        ),
        "Riverton Town Hall",
        required=("name",),
        optional=("email",),
    )


def terminal(town: Town, client_id: str = "terminal") -> Partner:
    """A confidential one, for a basis that asks nobody."""
    return town.add_client(
        NewClient("Library Terminal", client_id=client_id, grant_types=(DEVICE_GRANT,), scopes=SCOPES),
        "City Library",
        basis="public_task",
        required=("name",),
    )


@dataclass(frozen=True)
class Devices:
    """A town with both clients, and the browser in which Maria is signed in and has agreed with the screens."""

    town: Town
    screen: Partner
    terminal: Partner
    maria: Browser

    def new_terminal(self) -> Partner:
        """A terminal of which nobody has heard."""
        made = terminal(self.town, f"terminal-{secrets.token_hex(4)}")
        self.town.fresh()
        return made

    def begin(self, partner: Partner | None = None, scope: str = SCOPE, **more: str) -> Device:
        return begin(self.town, partner or self.screen, scope, **more)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def devices(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """The town of devices, once per engine; who moves the clock takes `town` instead."""
    folder = tmp_path_factory.mktemp("devices")
    for url in _database(request, request.param, folder):
        town = make_town(url, folder)
        made = Devices(town, screen(town), terminal(town), town.browser())
        town.fresh()
        allow(made.maria, made.begin())
        yield made
        town.context.database.close()
