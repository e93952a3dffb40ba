"""The link that says "this wasn't me": what a click undoes, and by whose word."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts.models import ContactPoint, FormerContactPoint, Resident
from idp.accounts.service import read_attributes
from idp.contacts.service import apply_due
from idp.login.models import Passkey
from idp.login.otp.models import AuthenticatorApp
from idp.login.recovery_codes import service as recovery_codes
from idp.login.recovery_codes.models import RecoveryCode
from idp.login.upstream.models import UpstreamIdentity
from idp.recovery.models import Helper
from idp.upkeep import purge
from keys.columns import IndexBytes
from tests.idp.contacts.test_contacts import NEW, act, add, known, signed_in
from tests.idp.recovery.steps import FRESH, ask, choose_password, give_app, signs_in, trust, type_code
from tests.support.authenticator import Authenticator
from tests.support.passkeys import add_passkey
from tests.support.passkeys import sign_in as sign_in_by_passkey
from tests.support.told import told

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

DAY = 86_400
EVIL = "evil@thief.example"
WAYS = (Passkey, AuthenticatorApp, RecoveryCode, UpstreamIdentity)


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


# --- what comes back ---


@pytest.mark.parametrize("position", [0, -1])
def test_a_removed_address_comes_back_by_the_click_of_whoever_reads_there(town: Town, position: int) -> None:
    """Whichever of its notices they press; then it alone is told, and gets its owner back in."""
    without_sign_in_address(town)
    thief = signed_in(town)
    add_later(town, thief, EVIL)
    own = known(town, town.maria)[town.maria.email]
    assert act(thief, own.id, "remove") == "/account/contacts?done=removed"
    assert press(town, link_to(town, town.maria.email, position=position)) == 200
    assert known(town, town.maria) == {town.maria.email: own}
    assert [one.to for one in told(town, "account_frozen")] == [town.maria.email]
    assert claimed_email(town) == town.maria.email
    type_code(town, browser := ask(town, town.maria.email))
    assert choose_password(browser) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)


def claimed_email(town: Town) -> object:
    """What services are told of Maria's address."""
    with town.context.database.reading() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        return read_attributes(session, town.context.vault, resident)["email"]


def test_an_address_that_signed_in_does_so_again(town: Town) -> None:
    """It was removed after three days of silence."""
    thief = signed_in(town)
    add_later(town, thief, EVIL)
    own = known(town, town.maria)[town.maria.email]
    assert act(thief, own.id, "remove") == "/account/contacts?done=waits"
    town.clock.advance(3 * DAY)
    assert apply_due(town.context, now=int(town.clock())) == 1
    assert set(known(town, town.maria)) == {EVIL}
    assert press(town, link_to(town, town.maria.email)) == 200
    assert known(town, town.maria) == {town.maria.email: own}


def test_an_address_at_which_nobody_clicked_stays_removed(town: Town) -> None:
    """It was removed for a reason, perhaps: nothing is sent there because of what somebody else presses."""
    old = add_later(town, signed_in(town), NEW)
    town.clock.advance(15 * DAY)
    act(signed_in(town), old, "remove")
    assert press(town, link_to(town, town.maria.email)) == 200
    assert set(known(town, town.maria)) == {town.maria.email}
    assert press(town, link_to(town, NEW)) == 200
    assert set(known(town, town.maria)) == {town.maria.email, NEW}


def test_a_new_address_that_was_removed_does_not_come_back(town: Town) -> None:
    """The owner threw it out: the thief's click freezes, and no more; nor once it is as old as a settled one."""
    owner = signed_in(town)
    evil = add_later(town, owner, EVIL)
    town.clock.advance(DAY)
    act(signed_in(town), evil, "remove")
    town.clock.advance(14 * DAY - 60)
    assert press(town, link_to(town, EVIL)) == 200
    assert set(known(town, town.maria)) == {town.maria.email}
    assert EVIL not in {one.to for one in told(town, "account_frozen")}


def test_an_address_that_is_there_again_is_not_put_back_twice(town: Town) -> None:
    """Its owner removed it, thought better of it, and then found a thief."""
    old = add_later(town, signed_in(town), NEW)
    town.clock.advance(15 * DAY)
    owner = signed_in(town)
    act(owner, old, "remove")
    removed = link_to(town, NEW)
    add_later(town, owner, NEW)
    town.clock.advance(DAY)
    add(town, signed_in(town), EVIL)
    assert press(town, removed) == 200
    found = known(town, town.maria)
    assert set(found) == {town.maria.email, NEW}
    assert found[NEW].id == old


def test_what_was_removed_is_forgotten_once_nobody_can_object_any_more(town: Town) -> None:
    """Not a second earlier."""
    without_sign_in_address(town)
    thief = signed_in(town)
    add_later(town, thief, EVIL)
    act(thief, known(town, town.maria)[town.maria.email].id, "remove")
    assert {row.resident_id for row in town.rows(FormerContactPoint)} == {town.maria.resident_id}
    town.clock.advance(14 * DAY)
    purge(town.context, now=int(town.clock()))
    assert len(town.rows(FormerContactPoint)) == 1
    town.clock.advance(1)
    purge(town.context, now=int(town.clock()))
    assert town.rows(FormerContactPoint) == []


# --- ways in ---


def test_ways_in_of_the_last_two_weeks_go_and_older_ones_stay(town: Town) -> None:
    """Else a recovery would owe what the thief has, or leave the thief's passkey beside the owner's."""
    town.clock.advance(60)
    add_passkey(signed_in(town), mine := Authenticator())
    with town.context.database.transaction() as session:
        recovery_codes.make(session, town.context.vault, town.maria.resident_id, now=int(town.clock()))
    town.clock.advance(15 * DAY)
    before = ways_of(town)
    assert before == {"login_passkey": 1, "login_recovery_code": 10}
    sign_in_by_passkey(inside := town.browser(), mine)
    add_passkey(inside, Authenticator())
    give_app(town, town.maria)
    connect(town)
    assert ways_of(town) == {**before, "login_passkey": 2, "login_totp": 1, "login_upstream_identity": 1}
    assert press(town, link_to(town, town.maria.email)) == 200
    assert ways_of(town) == before


def connect(town: Town) -> None:
    """Connect the account with one at another provider."""
    with town.context.database.transaction() as session:
        session.add(
            UpstreamIdentity(
                id="connection",
                provider="other",
                subject_index=IndexBytes(b"subject"),
                resident_id=town.maria.resident_id,
                linked_at=int(town.clock()),
                used_at=None,
            )
        )


def ways_of(town: Town) -> dict[str, int]:
    """How many of each way in Maria has, but for her password."""
    rows = [row for kind in WAYS for row in town.rows(kind) if row.resident_id == town.maria.resident_id]
    return dict(Counter(row.__tablename__ for row in rows))


def test_an_app_of_a_thief_is_not_asked_for_in_a_recovery(town: Town) -> None:
    """The owner has nothing but the mailbox."""
    town.clock.advance(60)
    add(town, signed_in(town), EVIL)
    give_app(town, town.maria)
    assert press(town, link_to(town, town.maria.email)) == 200
    type_code(town, browser := ask(town, "maria"))
    assert choose_password(browser) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)
