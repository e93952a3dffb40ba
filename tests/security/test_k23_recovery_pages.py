"""K23: a recovery page tells a stranger nothing later on either, whatever its resident and the town do meanwhile.

It says what its browser knows: what was wished, for how long that waits, and what was proved there.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.closing.service import close
from idp.recovery.answering import answer_asked
from idp.recovery.freeze import freeze
from idp.recovery.models import Case
from idp.recovery.rules import WISHES, Proved
from tests.idp.recovery.steps import (
    ask,
    case_page,
    choose_password,
    give_address,
    give_app,
    path_of,
    trust,
    type_code,
)
from tests.idp.recovery.test_recovery import DAY, WAIT, also, digits_of, help_maria, type_letter
from tests.security.test_k22_recovery_mail import seen
from tests.support.statements import noted
from tests.support.told import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.support.town import Browser, Town

#: How long each wish waits, as far as anybody can see from outside.
LASTS = {"message": 3600, "letter": 21 * DAY, "helper": 30 * DAY + WAIT}
PATHS = ("", "/code", "/second", "/other", "/password", "?show=letter", "?show=helper")


def looks(browser: Browser, page: str) -> list[tuple[Any, ...]]:
    """All that a stranger can see of a recovery, by every address it has, and the work that it makes."""
    found = []
    with noted(browser.town.context.database) as statements:
        for path in PATHS:
            answer = browser.get(f"{page}{path}")
            found.append((*seen(answer, page), (answer.headers.get("Location") or "").replace(page, "…")))
        if "/code" in browser.get(page).text:
            answer = browser.submit(f"{page}/code", code="12345678")
            found.append(seen(answer, page))
    return [*found, tuple(statements)]


def sign_in(town: Town) -> None:
    town.browser().sign_in(town.maria)


def be_frozen(town: Town) -> None:
    with town.context.database.transaction() as session:
        assert freeze(session, town.context, town.maria.resident_id, now=int(town.clock()))


def be_closed(town: Town) -> None:
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        assert close(session, town.context, resident, "asked", now=int(town.clock()))


def recover_elsewhere(town: Town) -> None:
    browser = ask(town, "maria@example.org")
    type_code(town, browser)
    assert choose_password(browser) == "/recover/done"


def open_what_was_sent(town: Town) -> None:
    """What the stranger's asking brought, the resident uses in a browser of their own."""
    browser = town.browser()
    if told(town, "recover"):
        link = told(town, "recover")[-1].link
        browser.get(link)
        browser.submit(link)
        assert path_of(browser).endswith("/password")
    elif told(town, "recovery_letter"):
        assert type_letter(town, browser).endswith("/password")


@pytest.mark.parametrize("act", [sign_in, be_frozen, be_closed, recover_elsewhere, open_what_was_sent])
@pytest.mark.parametrize("wish", WISHES)
def test_what_a_resident_does_changes_no_page_of_a_stranger(
    town: Town, wish: str, act: Callable[[Town], None]
) -> None:
    """The page says as much as that of nobody, until both are over at once; a detector of sign-ins it is not."""
    give_address(town, town.maria)
    trust(town, town.maria, town.jun)
    known, nobody = ask(town, "maria", wish), ask(town, "nobody", wish)
    pages = case_page(known), case_page(nobody)
    town.clock.advance(60)
    act(town)
    assert looks(known, pages[0]) == looks(nobody, pages[1])
    town.clock.advance(LASTS[wish] - 61)
    assert (known.get(pages[0]).status_code, nobody.get(pages[1]).status_code) == (200, 200)
    assert looks(known, pages[0]) == looks(nobody, pages[1])
    town.clock.advance(1)
    assert (known.get(pages[0]).status_code, nobody.get(pages[1]).status_code) == (410, 410)
    assert looks(known, pages[0]) == looks(nobody, pages[1])


@pytest.mark.parametrize("late", [0, 1800])
def test_a_letter_that_is_posted_lengthens_no_recovery(town: Town, late: int) -> None:
    """Whether or not the town has an address, and however late the letter leaves: the page is over at one time."""
    give_address(town, town.maria)
    browsers = []
    for name in ("maria", "jun", "nobody"):  # Jun has no address
        browser = town.browser()
        browser.get("/recover")
        browser.submit("/recover", name=name, wish="letter")
        browser.follow()
        browsers.append((browser, case_page(browser)))
    town.clock.advance(late)
    answer_asked(town.context, now=int(town.clock()))
    assert len(told(town, "recovery_letter")) == 1
    for at, status in ((3700, 200), (21 * DAY - 1, 200), (21 * DAY, 410)):
        town.clock.advance(at - late)
        late = at
        assert [browser.get(page).status_code for browser, page in browsers] == [status] * 3


def test_a_recovery_that_was_stopped_leads_nowhere(town: Town) -> None:
    """The page waits, and its link, its digits and its letter are worth nothing."""
    give_address(town, town.maria)
    browser, post = ask(town, "maria"), ask(town, "maria", "letter")
    page, sent = case_page(browser), told(town, "recover")[-1]
    sign_in(town)
    assert browser.get(page).status_code == 200
    assert browser.submit(f"{page}/code", code=sent.values["code"]).status_code == 422
    assert browser.get(sent.link).status_code == 410
    post.get("/recover/letter")
    code = told(town, "recovery_letter")[-1].values["code"]
    assert post.submit("/recover/letter", code=code).status_code == 422
    assert browser.get(f"{page}/password").headers["Location"] == page


def test_a_message_that_leaves_while_its_recovery_stops_leads_nowhere(town: Town) -> None:
    """The job sends it in the very moment in which the resident signs in: the case is nobody's, whatever was sent."""
    browser = ask(town, "maria")
    page, sent = case_page(browser), told(town, "recover")[-1]
    with town.context.database.transaction() as session:
        session.execute(update(Case).values(resident_id=None))
    other = town.browser()
    assert other.get(sent.link).status_code == 410
    assert browser.submit(f"{page}/code", code=sent.values["code"]).status_code == 422
    assert browser.get(f"{page}/password").headers["Location"] == page


@pytest.mark.parametrize("proof", [one.name for one in fields(Proved)])
def test_a_recovery_with_any_proof_is_stopped_for_all_to_see(town: Town, proof: str) -> None:
    """What counts as proved is the same for the page and for what stops it."""
    browser = ask(town, "maria")
    helped = {"helper_id": town.jun.resident_id} if proof == "ripe_at" else {}
    with town.context.database.transaction() as session:
        session.execute(update(Case).values({proof: int(town.clock()), **helped}))
    sign_in(town)
    assert browser.get(case_page(browser)).status_code == 410
    assert [(row.state, row.resident_id) for row in town.rows(Case)] == [("stopped", town.maria.resident_id)]


def test_the_code_to_come_back_with_tells_nothing(town: Town) -> None:
    """It leads to the same page after the resident has signed in, and nobody can help there any more."""
    trust(town, town.maria, town.jun)
    pages = []
    asked = [ask(town, name, "helper") for name in ("maria", "nobody")]
    backs = [digits_of(browser)[1] for browser in asked]
    sign_in(town)
    for back in backs:
        browser = town.browser()
        browser.get("/recover/return")
        browser.submit("/recover/return", code=back)
        pages.append(seen(browser.follow(), case_page(browser)))
    assert pages[0] == pages[1]
    assert pages[0][0] == 200
    jun = town.browser()
    jun.sign_in(town.jun)
    assert "/account/helpers/help/" not in jun.get("/account/helpers").text


@pytest.mark.parametrize("proof", ["message", "helper"])
def test_who_proved_something_is_told_that_it_was_stopped(town: Town, proof: str) -> None:
    """In the browser where it was proved: plainly, at once."""
    trust(town, town.maria, town.jun)
    give_app(town, town.maria)
    browser = ask(town, "maria", proof)
    page = case_page(browser)
    if proof == "message":
        assert type_code(town, browser).endswith("/second")
    else:
        assert help_maria(town, digits_of(browser)[0]) == 303
    be_frozen(town)
    answer = browser.get(page)
    assert answer.status_code == 410
    assert "somebody stopped it" in answer.text
    assert [row.state for row in town.rows(Case)] == ["stopped"]


def test_one_more_letter_waits_as_long_with_an_address_as_without(town: Town) -> None:
    """Who reads a mailbox and no more does not learn whether the town knows where its owner lives."""
    give_address(town, town.maria)
    ends = []
    for person in (town.maria, town.jun):
        give_app(town, person)
        browser = ask(town, person.username)
        type_code(town, browser)
        also(browser, "letter")
        asked_at = int(town.clock())
        ends += [
            row.expires_at - asked_at for row in town.rows(Case) if row.resident_id == person.resident_id
        ]
    assert len(told(town, "recovery_letter")) == 1
    assert ends == [21 * DAY] * 2
