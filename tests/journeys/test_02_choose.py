"""Journey 2: a resident chooses what to share; the service receives that and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.journeys.people import sign_in
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Riverton

#: What an ID token says about the sign-in itself; a resident's data is no part of it.
PROTOCOL = {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}


@pytest.fixture
def runs_scripts(either_browser: Page, request: pytest.FixtureRequest) -> bool:
    """Whether axe can look at the pages."""
    return "with JavaScript" in request.node.callspec.id.split("-")


def test_the_service_receives_only_what_the_resident_left_ticked(
    riverton: Riverton, either_browser: Page, runs_scripts: bool
) -> None:
    """Street Reports needs the district and would like the e-mail address: it gets the district."""
    page, person = either_browser, riverton.residents["maria.okafor" if runs_scripts else "ana.duarte"]
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, person)
    asked = "Riverton Street Reports asks for some of your data"
    expect(page.get_by_role("heading", level=1)).to_have_text(asked)
    expect(page.get_by_role("main")).to_contain_text(person.district)
    if runs_scripts:
        look(page)
    email = page.get_by_label("Your e-mail address")
    expect(email).not_to_be_checked()
    email.check()
    email.uncheck()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")

    visit = riverton.streets.visits[-1]
    assert visit.userinfo == {"sub": visit.id_token["sub"], "district": person.district}
    assert set(visit.id_token) == PROTOCOL

    page.goto(f"{riverton.issuer}/privacy/services/{riverton.streets.client.client_id}")
    received = page.get_by_role("main").get_by_role("list").first
    expect(received).to_contain_text("The district you live in")
    expect(received).not_to_contain_text("e-mail")
    if runs_scripts:
        look(page)


def test_the_service_receives_nothing_when_the_resident_refuses(
    riverton: Riverton, either_browser: Page, runs_scripts: bool
) -> None:
    """A no is an answer: the service is told so, and no more."""
    page, person = either_browser, riverton.residents["jiwon.kim" if runs_scripts else "noah.kim"]
    visits, refusals = len(riverton.streets.visits), len(riverton.streets.refusals)
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, person)
    page.get_by_role("button", name="Do not allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    assert riverton.streets.refusals[refusals:] == ["access_denied"]
    assert len(riverton.streets.visits) == visits
    page.goto(f"{riverton.issuer}/privacy")
    expect(page.get_by_role("main")).to_contain_text("You refused")
    expect(page.get_by_role("main")).to_contain_text("Nothing has been passed on yet.")
