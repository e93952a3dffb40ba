"""The link that says "this wasn't me": what a click undoes, and by whose word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts.models import ContactPoint
from idp.recovery.models import Helper
from tests.idp.contacts.test_contacts import NEW, act, add, known, signed_in
from tests.idp.recovery.steps import FRESH, ask, choose_password, signs_in, trust, type_code
from tests.support.told import told

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

DAY = 86_400
EVIL = "evil@thief.example"


def add_later(town: Town, browser: Browser, value: str) -> str:
    """Add and confirm an address, a while after whatever was before; its id."""
    town.clock.advance(5)
    added = add(town, browser, value)
    town.clock.advance(5)
    return added


def link_to(town: Town, address: str, *, position: int = -1) -> str:
    """The path of the link in a notice to an address, the latest unless another one is meant."""
    notices = [one for one in told(town) if one.to == address and one.values.get("not_me_url")]
    return notices[position].path("not_me_url")


def press(town: Town, link: str) -> int:
    """Press the button behind a link in a browser of no account; the status of the answer."""
    browser = town.browser()
    if browser.get(link).status_code == 410:
        return 410
    return browser.submit(link).status_code


def without_sign_in_address(town: Town) -> None:
    """Maria signs in by her user name alone, so that her address goes without being asked."""
    of_maria = ContactPoint.resident_id == town.maria.resident_id
    with town.context.database.transaction() as session:
        session.execute(update(ContactPoint).where(of_maria).values(signs_in=False))


# --- by the owner's word ---


@pytest.mark.parametrize("later", ["sign-in", "main"])
def test_a_later_notice_undoes_what_was_added_before_it(town: Town, later: str) -> None:
    """Whoever adds an address and then causes one more notice does not keep it by the owner's click in the newer one."""
    thief = signed_in(town)
    evil = add_later(town, thief, EVIL)
    act(thief, evil, later)
    assert press(town, link_to(town, town.maria.email)) == 200
    assert set(known(town, town.maria)) == {town.maria.email}
    assert [one.to for one in told(town, "account_frozen")] == [town.maria.email]
    ask(town, EVIL)
    assert EVIL not in {one.to for one in told(town, "recover")}


def test_trusted_people_of_the_last_two_weeks_are_forgotten_by_a_later_notice(town: Town) -> None:
    """They would say that the thief is the owner."""
    town.clock.advance(5)
    trust(town, town.maria, town.jun)
    town.clock.advance(DAY)
    add(town, signed_in(town))
    assert press(town, link_to(town, town.maria.email)) == 200
    assert {row.state for row in town.rows(Helper)} == {"ended"}


def test_what_was_there_two_weeks_before_stays(town: Town) -> None:
    """Nobody objected for as long as anybody could."""
    owner = signed_in(town)
    add_later(town, owner, "mine@home.example")
    trust(town, town.maria, town.jun)
    town.clock.advance(14 * DAY + 1)
    add_later(town, signed_in(town), EVIL)
    assert press(town, link_to(town, town.maria.email)) == 200
    assert set(known(town, town.maria)) == {town.maria.email, "mine@home.example"}
    assert {row.state for row in town.rows(Helper)} == {"accepted"}


def test_one_click_is_enough_for_all_who_read_the_notices(town: Town) -> None:
    """Whoever has recovered is not thrown out by the same news in another mailbox of theirs."""
    add_later(town, signed_in(town), NEW)
    town.clock.advance(15 * DAY)
    add_later(town, signed_in(town), EVIL)
    at_home, at_first = link_to(town, NEW), link_to(town, town.maria.email)
    assert press(town, at_home) == 200
    type_code(town, browser := ask(town, NEW))
    assert choose_password(browser) == "/recover/done"
    assert press(town, at_first) == 410
    assert signs_in(town, town.maria, FRESH)


# --- by the thief's ---


def test_a_click_by_the_reader_of_a_new_address_throws_out_nobody_older(town: Town) -> None:
    """It freezes, and undoes what is newer than that address; the owner's own link works as before."""
    thief = signed_in(town)
    add_later(town, thief, "mine@home.example")
    evil = add_later(town, thief, EVIL)
    add_later(town, thief, "second@thief.example")
    act(thief, evil, "main")
    owners = link_to(town, town.maria.email)
    assert press(town, link_to(town, EVIL)) == 200
    assert set(known(town, town.maria)) == {town.maria.email, "mine@home.example", EVIL}
    assert press(town, owners) == 200
    assert set(known(town, town.maria)) == {town.maria.email}


def test_links_to_an_address_that_is_thrown_out_work_no_more(town: Town) -> None:
    """The thief would freeze what the owner has got back into, and undo what the owner added then."""
    thief = signed_in(town)
    evil = add_later(town, thief, EVIL)
    act(thief, evil, "main")
    thiefs = link_to(town, EVIL)
    assert press(town, link_to(town, town.maria.email)) == 200
    assert press(town, thiefs) == 410


def test_a_link_of_no_known_reader_undoes_what_came_since_its_notice(town: Town) -> None:
    """By post, or written by a version that did not know: believed as little as can be."""
    from idp.accounts.not_me import not_me_links

    thief = signed_in(town)
    add_later(town, thief, "mine@home.example")
    with town.context.database.transaction() as session:
        (link,) = not_me_links(session, town.settings, town.maria.resident_id, [None], now=int(town.clock()))
    add_later(town, thief, EVIL)
    assert press(town, "/not-me/" + link.rpartition("/")[2]) == 200
    assert set(known(town, town.maria)) == {town.maria.email, "mine@home.example"}
