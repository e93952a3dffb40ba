"""A service that has its answer posted: the resident sees a page of ours for a moment, or presses its button."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.journeys.people import sign_in
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.riverton import Riverton

#: K21: what would run if it were not escaped, and what HTML must give back as it is.
STATE = (
    "\"><svg onload=alert(1)><script>alert(2)</script>' &quot; &#13; </form> {{7*7}} javascript:alert(3) é 名"
)


@pytest.fixture
def runs_scripts(either_browser: Page, request: pytest.FixtureRequest) -> bool:
    """Whether the form sends itself."""
    return "with JavaScript" in request.node.callspec.id.split("-")


def test_an_answer_is_posted_with_and_without_scripts(
    riverton: Riverton, either_browser: Page, runs_scripts: bool
) -> None:
    """OAuth 2.0 Form Post Response Mode §2, K21: a code and a refusal arrive, with the state as it was, and nothing runs."""
    page, streets = either_browser, riverton.streets
    person = riverton.residents["jean.lefevre" if runs_scripts else "noah.kim"]
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    begin = f"{streets.url}/sign-in?response_mode=form_post&state={quote(STATE)}"

    visits, refusals = len(streets.visits), len(streets.refusals)
    page.goto(begin)
    page.get_by_role("button", name="Cancel").click()
    go_on(page, runs_scripts=runs_scripts)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    assert streets.refusals[refusals:] == ["access_denied"]

    page.goto(f"{begin}&prompt=consent")  # whatever was agreed to in other tests
    sign_in(page, person)
    page.get_by_role("button", name="Allow", exact=True).click()
    go_on(page, runs_scripts=runs_scripts)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")
    assert page.url == f"{streets.url}/callback"

    page.goto(begin)  # at once this time
    go_on(page, runs_scripts=runs_scripts)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")
    assert [visit.came_by for visit in streets.visits[visits:]] == ["POST", "POST"]
    assert dialogs == []


def go_on(page: Page, *, runs_scripts: bool) -> None:
    """Where no script sends the form, the resident does."""
    if runs_scripts:
        return
    expect(page.get_by_role("heading", level=1)).to_have_text("Back to the service")
    expect(page.get_by_role("main")).to_contain_text("Riverton Street Reports")
    page.get_by_role("button", name="Continue").click()


def test_the_page_with_the_answer_is_as_every_page_must_be(riverton: Riverton, resident: Page) -> None:
    """Seen where the script of ours does not arrive."""
    resident.route("**/form-post.*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    resident.goto(f"{riverton.streets.url}/sign-in?response_mode=form_post")
    resident.get_by_role("button", name="Cancel").click()
    expect(resident.get_by_role("heading", level=1)).to_have_text("Back to the service")
    look(resident)
