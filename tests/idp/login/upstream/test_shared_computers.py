"""A computer that others use, too: what is ticked on the sign-in page holds for whoever goes to a provider and comes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from idp.login.models import BrowserSession
from tests.idp.login.upstream.test_signing_in import connect_by_password, link
from tests.support.settled import assert_refused_back
from tests.support.told import told
from tests.support.town import ISSUER, Proof, answer_parameters, code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.idp.login.upstream.provider import Provider
    from tests.support.town import Browser, Town

    Connect = Callable[..., tuple[Town, Provider]]

SHARED = {"shared": "1"}


def leave(provider: Provider, browser: Browser, page: TestResponse, **ticked: str) -> None:
    """Press the provider's button of a page, with or without the tick of its form."""
    provider.asked = answer_parameters(provider.press(browser, page, **ticked))


def kinds(town: Town) -> list[bool]:
    return [bool(row.is_shared) for row in town.rows(BrowserSession) if row.ended_at is None]


@pytest.mark.parametrize("ticked", [{}, SHARED], ids=["not ticked", "ticked"])
def test_the_tick_goes_along_to_a_provider_and_back(connect: Connect, ticked: dict[str, str]) -> None:
    """identity.md, kiosk mode: no persistence, forced end, whichever way somebody signs in; the partner who waits is served."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    leave(provider, browser, page, **ticked)
    browser.follow(provider.come_back(browser))
    answer = browser.follow(browser.allow())
    assert code_of(answer)
    (live,) = [row for row in town.rows(BrowserSession) if row.ended_at is None and row.amr != "pwd"]
    assert bool(live.is_shared) is bool(ticked)
    limits = town.settings.sessions
    assert live.expires_at - live.created_at == (
        limits.shared_absolute_for if ticked else limits.strong_absolute_for
    )
    cookies = " ".join(answer.headers.getlist("Set-Cookie"))
    assert "Max-Age" not in cookies


def test_a_mistyped_password_keeps_the_tick_for_the_provider(connect: Connect) -> None:
    """The box comes back ticked, and the button sends it."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    browser.get("/login")
    page = browser.submit("/login", username="maria", password="wrong words", **SHARED)
    assert re.search(r'<input[^>]*name="shared"[^>]* checked', page.text)
    leave(provider, browser, page, **SHARED)
    provider.come_back(browser)
    assert True in kinds(town)


def test_a_session_that_ends_while_its_resident_is_at_the_provider_was_one_of_a_shared_computer(
    connect: Connect,
) -> None:
    """They prove once more that it is they, where the page says that others use the computer and asks no more."""
    town, provider = connect()
    link(town, provider, town.maria)
    browser = town.browser()
    browser.get("/login")
    browser.submit("/login", username="maria", password=town.maria.password, **SHARED)
    page = browser.get("/login?again=1&next=/account/password")
    assert "This is a shared computer. You are signed out soon" in page.text
    leave(provider, browser, page)
    town.clock.advance(town.settings.sessions.shared_idle_for)
    assert browser.get("/account").status_code == 303, "in another tab, the session is over"
    provider.come_back(browser)
    assert True in kinds(town), "what began at the provider, and not the one that ended"


def test_a_newcomer_who_connects_or_creates_an_account_is_at_the_same_computer(connect: Connect) -> None:
    """Both are a sign-in of their own, begun where the first one was."""
    town, provider = connect(newcomers="create", claims={"given_name": "given_name"})
    browser = town.browser()
    leave(provider, browser, browser.get("/login"), **SHARED)
    provider.come_back(browser)
    connect_by_password(browser, town.maria)
    assert kinds(town) == [True]
    provider.subject = "person-2"
    browser = town.browser()
    leave(provider, browser, browser.get("/login"), **SHARED)
    page = browser.follow(provider.come_back(browser))
    page = browser.follow(browser.submit(page.request.path, create="1"))
    browser.submit("/signup", email="new@example.org")
    browser.get(told(town, "confirm_sign_up")[-1].values["link"].removeprefix(ISSUER))
    answer = browser.submit("/signup/confirm", given_name="Noor", password="eleven grey herons waiting")
    assert answer.status_code == 303, answer.text
    assert kinds(town) == [True, True]


def test_the_button_of_a_provider_is_as_bound_to_its_form_as_every_other(connect: Connect) -> None:
    """K20, K34: no sign-in begins without the form's token, nor with a provider that is not there."""
    town, _ = connect()
    browser = town.browser()
    browser.get("/login")
    assert browser.submit("/login", formaction="/login/upstream/elsewhere").status_code == 404
    assert browser.post("/login/upstream/neighbour", {}).status_code == 403
    browser.authorize(town.library, "openid", Proof())
    browser.follow()
    answer = browser.submit("/login", formaction="/login/upstream/neighbour", cancel="1")
    assert_refused_back(answer, "access_denied")
