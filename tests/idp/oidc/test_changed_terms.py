"""Residents choose again at their next visit when the terms change in substance, and see what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consent import drafts, purposes
from consent.models import Record
from consent.purposes import Asked, NoticeText, Party, Processing
from idp.jobs.stamps import PURPOSES, bump
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

YEAR = 365 * 86_400
SCOPE = "openid profile email"
WORDS = NoticeText("Your account", "To lend you books.", "A year.", "Nobody.")
TERMS = Asked(("name",), ("email",), YEAR)
FACTS = Processing((Party("City Library"),), ("FR",), recipients=("Card printer",))


def _publish(
    town: Town,
    asked: Asked = TERMS,
    processing: Processing = FACTS,
    words: NoticeText = WORDS,
    *,
    material: bool = False,
) -> drafts.Outcome:
    """Publish terms for the library by way of a draft."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        (purpose,) = purposes.purposes_for_client(session, "library")
        contents = drafts.Contents({"en": words}, asked, processing, material)
        draft = drafts.find(session, drafts.begin(session, purpose.id, contents, now=now))
        assert draft is not None
        outcome = drafts.publish(
            session,
            drafts.submit(session, draft, town_languages=("en",), now=now),
            log_key=town.context.vault.subkey("log"),
            actor="staff:o",
            reason="for the test",
            town_languages=("en",),
            now=now,
        )
        bump(session, PURPOSES)
    town.fresh()
    return outcome


def _agreed(town: Town) -> Browser:
    """Maria has agreed under the first terms with facts, all boxes ticked."""
    _publish(town)
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    return browser


def _visit(town: Town, browser: Browser) -> str:
    answer = browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    return answer.headers.get("Location", "") or answer.text


def test_a_wording_fix_asks_nobody(town: Town) -> None:
    browser = _agreed(town)
    outcome = _publish(
        town, words=NoticeText("Your account", "To lend books to you.", "One year.", "Nobody!")
    )
    assert (outcome.material, outcome.changes) == (False, ())
    assert "code=" in _visit(town, browser)


def test_a_change_of_substance_is_shown_and_asked_about(town: Town) -> None:
    """What was ticked under other terms is not ticked now."""
    browser = _agreed(town)
    _publish(
        town,
        Asked(("name",), ("email", "district"), 2 * YEAR),
        Processing((Party("City Library"),), ("FR",), recipients=("Card printer", "Bookshop")),
    )
    page = _visit(town, browser)
    for said in (
        "This is not as it was when you last decided.",
        "Now: Card printer, Bookshop. Before: Card printer.",
        "It now asks for this as well: The district you live in.",
        "It keeps your data for longer. Now: 2 years. Before: 1 year.",
    ):
        assert said in page
    assert "checked" not in page
    assert "code=" in browser.follow(browser.allow()).headers["Location"]
    assert town.rows(Record)[-1].event == "narrowed"


def test_the_difference_is_to_what_this_resident_agreed_to(town: Town) -> None:
    """Two versions later both changes show; who came in between sees the second alone."""
    first, second = _agreed(town), town.browser()
    longer = Asked(("name",), ("email",), 2 * YEAR)
    _publish(town, longer)
    second.code(town.library, town.jun, SCOPE, Proof())
    _publish(town, Asked(("name",), ("email", "district"), 2 * YEAR))
    assert "It keeps your data for longer" in _visit(town, first)
    page = _visit(town, second)
    assert "It keeps your data for longer" not in page
    assert "It now asks for this as well" in page


def test_another_reason_is_said_in_words(town: Town) -> None:
    browser = _agreed(town)
    _publish(
        town, words=NoticeText("Your account", "To sell you books.", "A year.", "Nobody."), material=True
    )
    assert "The reason is another one. Please read it again." in _visit(town, browser)


def test_nobody_agrees_to_words_that_were_not_on_the_page(town: Town) -> None:
    """The notice changes while the page is open: it is shown anew, and nothing is recorded."""
    _publish(town)
    browser = town.browser()
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    page = browser.follow(browser.sign_in(town.maria))
    assert 'action="/consent"' in page.text
    before = len(town.rows(Record))
    _publish(town, words=NoticeText("Your account", "To sell you books.", "A year.", "Everybody."))
    answer = browser.allow()
    assert answer.headers["Location"].startswith("/consent?flow=")
    assert len(town.rows(Record)) == before
    assert "To sell you books." in browser.follow(answer).text
    assert "code=" in browser.follow(browser.allow()).headers["Location"]
    newest = town.rows(Record)[-1]
    with town.context.database.reading() as session:
        notice = purposes.notice_by_hash(session, newest.notice_hash)
    assert notice is not None
    assert notice.text.why == "To sell you books."
