"""Journey 3: a resident withdraws; the service's tokens are dead at once, it is told, deletes, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.journeys.people import load_again, sign_in
from tests.support.riverton import until
from tests.support.watching import look

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.riverton import Riverton

ALIVE = {"userinfo": True, "access_token": True, "refresh_token": True}
DEAD = dict.fromkeys(ALIVE, False)
STREETS, LIBRARY = "Riverton Street Reports", "Riverton Public Library"


def test_a_withdrawal_ends_the_tokens_of_that_service_and_of_no_other(
    riverton: Riverton, resident: Page
) -> None:
    """What the resident reads on the privacy page is what the services find at the same moment."""
    page, streets, person = resident, riverton.streets, riverton.residents["kartika"]
    page.goto(riverton.library_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()
    sign_in(page, person)
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello {person.name}")
    agree_at_the_streets(riverton, page)
    visit = streets.visits[-1]
    assert streets.is_alive(visit) == ALIVE

    page.goto(f"{riverton.issuer}/privacy")
    look(page)
    for service in (STREETS, LIBRARY):
        expect(entry(page, service)).to_contain_text("Connected")
        expect(entry(page, service)).to_contain_text("Last passed on:")
    entry(page, STREETS).get_by_role("link", name=STREETS, exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("When the service asked for your details")
    look(page)
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You stopped sharing with {STREETS}")
    assert streets.is_alive(visit) == DEAD
    assert streets.refresh(visit)["error"] == "invalid_grant"
    look(page)

    page.goto(f"{riverton.issuer}/privacy")
    expect(entry(page, STREETS)).to_contain_text("You stopped sharing")
    expect(entry(page, LIBRARY)).to_contain_text("Connected")
    page.get_by_role("link", name="Every choice you made").click()
    newest = page.get_by_role("main").get_by_role("listitem").first
    expect(newest).to_contain_text(STREETS)
    expect(newest).to_contain_text("You stopped sharing.")
    look(page)

    page.goto(riverton.library_url)
    page.get_by_role("button", name="Ask Riverton again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello {person.name}")
    agree_at_the_streets(riverton, page)
    assert streets.is_alive(streets.visits[-1]) == ALIVE
    assert streets.is_alive(visit) == DEAD


def test_the_library_of_the_sample_town_loses_sight_of_a_resident_who_withdraws(
    riverton: Riverton, resident: Page
) -> None:
    """What the demo tells a newcomer to click: stop sharing, then "Ask Riverton again" at the library."""
    page, person = resident, riverton.residents["ana.rita.duarte"]
    page.goto(riverton.library_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()
    sign_in(page, person)
    page.get_by_label("Your e-mail address").check()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text(person.email)
    page.get_by_role("link", name="Change what you share").click()
    page.get_by_role("link", name=f"Stop sharing with {LIBRARY}").click()
    page.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"You stopped sharing with {LIBRARY}")
    page.goto(riverton.library_url)
    if page.get_by_role("button", name="Ask Riverton again").count():  # it has not heard of it yet
        page.get_by_role("button", name="Ask Riverton again").click()
    expect(page.get_by_role("main")).to_contain_text("Riverton no longer lets us see your data")

    def confirmed() -> bool:
        page.goto(f"{riverton.issuer}/privacy/services/riverton-library")
        return "Confirmed on" in page.get_by_role("main").inner_text()

    until(confirmed, "the library confirms")
    told = page.get_by_role("main")
    for part in ("What the service was told, and what it did", "Told on", "it has deleted the data"):
        expect(told).to_contain_text(part)
    look(page)
    page.goto(f"{riverton.issuer}/privacy")
    expect(entry(page, LIBRARY)).to_contain_text("You stopped sharing: Confirmed")
    page.get_by_role("link", name="Everything that was passed on").click()
    first = page.get_by_role("main").get_by_role("listitem").first
    expect(first).to_contain_text(LIBRARY)
    expect(first).to_contain_text("For: Your library account")
    look(page)


def test_a_service_that_says_nothing_is_seen_to_be_silent(riverton: Riverton, resident: Page) -> None:
    """The tax portal is told, deletes the number, and does not say so: the resident sees that it has not."""
    page = resident
    page.goto(riverton.tax_url)
    page.get_by_role("link", name="Sign in with your Riverton account").click()
    sign_in(page, riverton.residents["ana.rita.duarte"])
    page.get_by_label("Your phone number").check()
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator("#account")).to_be_visible()
    page.goto(f"{riverton.issuer}/privacy/services/riverton-tax")
    page.get_by_role("button", name="Stop sharing for this alone").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("You share less now")

    def told() -> bool:
        load_again(page)
        return "Told on" in page.get_by_role("main").inner_text()

    until(told, "the tax portal is told")
    expect(main).to_contain_text("You share less now")
    expect(main).to_contain_text("It must confirm by")
    look(page)
    page.goto(riverton.tax_url)
    expect(page.locator("#account")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("You did not share it, so we send no text messages.")


def agree_at_the_streets(riverton: Riverton, page: Page) -> None:
    """Sign in at Street Reports, where nothing is on file: the town asks, but for no password."""
    page.goto(riverton.streets.url)
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{STREETS} asks for some of your data")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, your report has arrived")


def entry(page: Page, service: str) -> Locator:
    """One service on the privacy page."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=service))
