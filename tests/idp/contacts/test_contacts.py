"""Contact points: confirmed before they count, told everywhere else, and never changed behind the owner's back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from idp.accounts import contacts
from idp.accounts.models import ContactPoint, Resident
from idp.contacts.models import Change
from idp.contacts.service import apply_due
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.models import Password
from idp.recovery.codes import TRIES
from tests.idp.recovery.steps import FRESH, choose_password, give_address, signs_in, type_code
from tests.idp.recovery.steps import ask as ask_back_in
from tests.support.factors import after_password, ask_for_code, attempt_of, sent_code
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.told import told
from tests.support.town import ISSUER, hidden_fields, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Person, Town

NEW = "maria@home.example"
PHONE, SHOWN = "+33 6 12 34 56 78", "+33 6 12 34 56 78"
WAIT = 72 * 3600
GATEWAY = {"provider": "http", "url": "https://sms.example.org/send", "sender": "Riverton"}


@pytest.fixture
def phone_town(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town that sends text messages, in France."""
    made = make_town(database_url, tmp_path, founding=founding, sms=GATEWAY, accounts={"country": "FR"})
    yield made
    made.context.database.close()


def signed_in(town: Town, person: Person | None = None) -> Browser:
    """A browser in which somebody has just signed in."""
    browser = town.browser()
    browser.sign_in(person or town.maria)
    return browser


def ask(browser: Browser, value: str, kind: str = "email") -> str:
    """Add an address or number; where its code is asked for."""
    browser.get(f"/account/contacts/new/{kind}")
    answer = browser.submit(f"/account/contacts/new/{kind}", value=value)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def add(town: Town, browser: Browser, value: str = NEW, kind: str = "email") -> str:
    """Add and confirm one; its id."""
    before = {one.id for one in town.rows(ContactPoint)}
    page = ask(browser, value, kind)
    code = told(town, "contact_confirm")[-1].values["code"]
    browser.get(page)
    answer = browser.submit(page, code=code)
    assert answer.headers.get("Location") == "/account/contacts?done=added", answer.text
    (added,) = {one.id for one in town.rows(ContactPoint)} - before
    return str(added)


def known(town: Town, person: Person) -> dict[str, contacts.Contact]:
    """A person's contact points by value."""
    with town.context.database.reading() as session:
        resident = session.get_one(Resident, person.resident_id)
        return {one.value: one for one in contacts.of_resident(session, town.context.vault, resident)}


def act(browser: Browser, contact_id: str, action: str) -> str:
    """Press a button on the page of a contact point; where it leads, or the page."""
    browser.get(f"/account/contacts/{contact_id}")
    answer = browser.submit(f"/account/contacts/{contact_id}/{action}")
    return answer.headers.get("Location") or answer.text


def claims(town: Town) -> dict[str, object]:
    """What the tax portal reads of Maria."""
    tokens = town.tokens(town.tax, town.maria, "openid email")
    found: dict[str, object] = town.userinfo(tokens["access_token"]).json
    return found


# --- adding ---


def test_an_address_counts_once_its_code_came_back(town: Town) -> None:
    """The new one gets a code, the others a notice with a way to object; before the code, nothing is known there."""
    browser = signed_in(town)
    page = ask(browser, NEW)
    assert set(known(town, town.maria)) == {town.maria.email}
    (sent,) = told(town, "contact_confirm")
    assert (sent.to, sent.channel) == (NEW, "mail")
    browser.get(page)
    browser.submit(page, code=sent.values["code"])
    assert set(known(town, town.maria)) == {town.maria.email, NEW}
    notices = told(town, "contact_changed")
    assert [one.to for one in notices] == [town.maria.email]
    assert notices[0].path("not_me_url").startswith("/not-me/")
    assert NEW in browser.get("/account/contacts").text


def test_a_code_is_guessed_five_times_at_most(town: Town) -> None:
    """K26: counted before it is looked at; the right code comes too late."""
    browser = signed_in(town)
    page = ask(browser, NEW)
    right = told(town, "contact_confirm")[-1].values["code"]
    for _ in range(TRIES):
        browser.get(page)
        assert browser.submit(page, code="000000" if right != "000000" else "111111").status_code == 422
    browser.get(page)
    assert browser.submit(page, code=right).status_code == 422
    assert NEW not in known(town, town.maria)


def test_a_newer_code_ends_the_older_one_and_time_ends_both(town: Town) -> None:
    """One at a time, and an hour by mail."""
    browser = signed_in(town)
    first = ask(browser, NEW)
    second = ask(browser, "other@home.example")
    assert browser.get(first).status_code == 404
    town.clock.advance(3601)
    assert browser.get(second).status_code == 404


def test_a_link_needs_a_click_by_whoever_asked(town: Town) -> None:
    """Mail scanners open links; and whoever reads that mailbox can't attach it to an account of their own."""
    maria, jun = signed_in(town), signed_in(town, town.jun)
    ask(maria, NEW)
    link = told(town, "contact_confirm")[-1].link
    assert maria.get(link).status_code == 200
    assert NEW not in known(town, town.maria)
    assert jun.get(link).status_code == 410
    jun.get("/account/contacts")
    assert jun.post(link, _csrf(jun)).status_code == 410
    assert town.browser().get(link).headers["Location"].startswith("/login?next=/account/contacts/confirm/")
    maria.get(link)
    assert maria.submit(link).status_code == 303
    assert maria.get(link).status_code == 410
    assert NEW in known(town, town.maria)
    assert known(town, town.jun).keys() == {town.jun.email}


def _csrf(browser: Browser) -> dict[str, str]:
    found = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/account/contacts/new/email").text)
    return {"csrf_token": found[0]}


def test_parallel_confirmations_on_two_nodes_add_one_contact_point(town: Town) -> None:
    """One conditional write: of ten callers in two processes one adds it, and the notice goes out once."""
    browser = signed_in(town)
    page = ask(browser, NEW)
    browser.get(page)
    form = {
        **hidden_fields(browser.last.text, page),
        "code": told(town, "contact_confirm")[-1].values["code"],
    }
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(Request(page, form, {"Cookie": cookies}), int(town.clock()))
    assert sorted(reply.status for reply in replies).count(303) == 1
    assert len(replies) == NODES * THREADS
    assert len([one for one in town.rows(ContactPoint) if one.resident_id == town.maria.resident_id]) == 2
    assert len(told(town, "contact_changed")) == 1


def test_several_residents_share_an_address_and_one_signs_in_with_it(town: Town) -> None:
    """A family has one mailbox; whoever signed in with it first keeps doing so, and the other is told why not."""
    maria, jun = signed_in(town), signed_in(town, town.jun)
    shared = "home@example.org"
    add(town, maria, shared)
    own = add(town, jun, shared)
    first = known(town, town.maria)[shared].id
    act(maria, first, "sign-in")
    maria.get(told(town, "contact_change_waits")[-1].link)
    maria.submit(told(town, "contact_change_waits")[-1].link, answer="agree")
    assert known(town, town.maria)[shared].signs_in
    page = act(jun, own, "sign-in")
    assert "Somebody else signs in with it" in page
    other = town.browser()
    other.get("/login")
    assert other.submit("/login", username=shared, password=town.maria.password).status_code == 303


@pytest.mark.parametrize(
    "bad", ["nobody", "a@b", "maria@straße.example", "0612345678", "mar\u200bia@example.org"]
)
def test_what_is_no_address_is_refused(town: Town, bad: str) -> None:
    """K24, and nothing is sent."""
    browser = signed_in(town)
    browser.get("/account/contacts/new/email")
    assert browser.submit("/account/contacts/new/email", value=bad).status_code == 422
    assert told(town, "contact_confirm") == []


def test_a_number_is_kept_in_e164_and_goes_out_as_a_claim(phone_town: Town) -> None:
    """As typed in this country; phone_number_verified follows, and the number signs in once it was chosen."""
    town = phone_town
    browser = signed_in(town)
    page = ask(browser, "06 12 34 56 78", "phone")
    (sent,) = told(town, "contact_confirm")
    assert (sent.channel, sent.to) == ("sms", "+33612345678")
    browser.get(page)
    browser.submit(page, code=sent.values["code"])
    point = known(town, town.maria)["+33612345678"]
    assert point.is_main
    assert SHOWN in browser.get("/account").text
    with town.context.database.reading() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        from idp.accounts.service import read_attributes

        assert read_attributes(session, town.context.vault, resident)["phone_number"] == "+33612345678"
    act(browser, point.id, "sign-in")
    town.clock.advance(WAIT)
    apply_due(town.context, now=int(town.clock()))
    other = town.browser()
    other.get("/login")
    assert other.submit("/login", username=PHONE, password=town.maria.password).status_code == 303


@pytest.mark.parametrize(
    ("country", "numbers"),
    [
        (
            "",
            {
                "0170 1234567": "begins with + and the country, such as +33",
                "my phone": "begins with + and the country, such as +33",
                "+33 6 12 34": "There is no phone number like this",
                "+1 555 0142": "There is no phone number like this",
            },
        ),
        (
            "FR",
            {
                "06 12 34": "There is no phone number like this",
                "my phone": "beginning with + and the country if it is from abroad",
            },
        ),
    ],
)
def test_a_number_that_cannot_be_is_told_apart_from_one_without_a_country(
    database_url: str, founding: Founding, tmp_path: Path, country: str, numbers: dict[str, str]
) -> None:
    """The error says what the hint says."""
    town = make_town(database_url, tmp_path, founding=founding, sms=GATEWAY, accounts={"country": country})
    browser = signed_in(town)
    for typed, said in numbers.items():
        browser.get("/account/contacts/new/phone")
        answer = browser.submit("/account/contacts/new/phone", value=typed)
        assert answer.status_code == 422
        assert said in answer.text.partition("There is a problem")[2].partition("</ul>")[0]
    town.context.database.close()


def test_a_number_is_not_offered_where_no_message_can_be_sent(town: Town) -> None:
    """A page that says it does something does it."""
    browser = signed_in(town)
    assert "phone" not in browser.get("/account/contacts").text.lower()
    assert browser.get("/account/contacts/new/phone").status_code == 404


# --- choosing ---


def test_services_are_told_the_main_one(town: Town) -> None:
    """Email and email_verified follow the choice, at once."""
    browser = signed_in(town)
    other = add(town, browser)
    assert claims(town) | {"email": town.maria.email, "email_verified": True} == claims(town)
    assert act(browser, other, "main") == "/account/contacts?done=main"
    assert claims(town) | {"email": NEW, "email_verified": True} == claims(town)
    assert {one.to for one in told(town, "contact_changed") if one.values["change"] == "main"} == {
        town.maria.email,
        NEW,
    }


def test_the_former_sign_in_address_can_stop_the_change(town: Town) -> None:
    """Nothing changes before it had its say; looking at its link does nothing; after a stop nothing ever does."""
    browser = signed_in(town)
    other = add(town, browser)
    assert act(browser, other, "sign-in") == "/account/contacts?done=waits"
    (asked,) = told(town, "contact_change_waits")
    assert asked.to == town.maria.email
    assert not known(town, town.maria)[NEW].signs_in
    owner = town.browser()
    assert owner.get(asked.link).status_code == 200
    assert [row.outcome for row in town.rows(Change) if row.what == "sign_in"] == [None]
    assert "We have asked the address" in browser.get("/account/contacts?done=waits").text
    assert "stopped" in owner.submit(asked.link, answer="stop").text
    assert "We have asked the address" not in browser.get("/account/contacts?done=waits").text
    town.clock.advance(WAIT)
    assert apply_due(town.context, now=int(town.clock())) == 0
    assert known(town, town.maria)[town.maria.email].signs_in
    owner.get("/recover")
    owner.post(asked.link, {**hidden_fields(owner.last.text, "/recover"), "answer": "agree"})
    assert not known(town, town.maria)[NEW].signs_in


def test_silence_lets_the_change_happen_after_three_days(town: Town) -> None:
    """Not a second earlier; then the new one signs in and the former does not."""
    browser = signed_in(town)
    other = add(town, browser)
    begun = int(town.clock())
    act(browser, other, "sign-in")
    assert apply_due(town.context, now=begun + WAIT - 1) == 0
    assert apply_due(town.context, now=begun + WAIT) == 1
    assert apply_due(town.context, now=begun + WAIT) == 0
    signs = {value: one.signs_in for value, one in known(town, town.maria).items()}
    assert signs == {town.maria.email: False, NEW: True}


def test_a_new_password_stops_what_whoever_knew_the_former_one_began(town: Town) -> None:
    """The owner throws a thief out: three days later the thief's address would sign in, and the owner's would not."""
    thief, owner = signed_in(town), signed_in(town)
    act(thief, add(town, thief), "sign-in")
    owner.get("/account/password")
    answer = owner.submit("/account/password", password=FRESH)
    assert answer.status_code == 303, answer.text
    assert [row.outcome for row in town.rows(Change) if row.what == "sign_in"] == ["stopped"]
    assert {one.to for one in told(town, "contact_changed") if one.values["change"] == "stopped"} == {
        town.maria.email,
        NEW,
    }
    town.clock.advance(WAIT)
    assert apply_due(town.context, now=int(town.clock())) == 0
    assert known(town, town.maria)[town.maria.email].signs_in


@pytest.mark.parametrize("by_link", [False, True])
def test_a_change_that_is_possible_no_more_is_stopped_and_told(town: Town, *, by_link: bool) -> None:
    """Somebody else signs in with the address by now: nothing says that it is done."""
    shared = "family@home.example"
    browser = signed_in(town)
    act(browser, add(town, browser, shared), "sign-in")
    link = told(town, "contact_change_waits")[-1].link
    with town.context.database.transaction() as session:
        of_jun = ContactPoint.resident_id == town.jun.resident_id
        session.execute(update(ContactPoint).where(of_jun).values(signs_in=False))
    jun = signed_in(town, town.jun)
    assert act(jun, add(town, jun, shared), "sign-in") == "/account/contacts?done=sign-in"
    town.clock.advance(WAIT)
    if by_link:
        owner = town.browser()
        owner.get(link)
        assert "It is stopped" in owner.submit(link, answer="agree").text
    else:
        assert apply_due(town.context, now=int(town.clock())) == 0
    assert [row.outcome for row in town.rows(Change) if row.what == "sign_in"] == ["stopped"]
    assert known(town, town.maria)[town.maria.email].signs_in
    notices = [one for one in told(town, "contact_changed") if one.values["change"] == "stopped"]
    assert {one.to for one in notices} == {town.maria.email, shared}


def test_two_changes_do_not_wait_at_once(town: Town) -> None:
    """What the former address is asked stays clear."""
    browser = signed_in(town)
    other = add(town, browser)
    act(browser, other, "sign-in")
    own = known(town, town.maria)[town.maria.email].id
    assert "Another change waits already" in act(browser, own, "remove")
    browser.get("/account/contacts")
    assert browser.submit("/account/contacts/stop").headers["Location"] == "/account/contacts?done=stopped"
    assert act(browser, own, "remove") == "/account/contacts?done=waits"


# --- removing ---


def test_removing_the_sign_in_address_needs_its_own_yes(town: Town) -> None:
    """Confirmed on both sides: here, and where it is read."""
    browser = signed_in(town)
    add(town, browser)
    own = known(town, town.maria)[town.maria.email].id
    assert act(browser, own, "remove") == "/account/contacts?done=waits"
    assert town.maria.email in known(town, town.maria)
    asked = told(town, "contact_change_waits")[-1]
    browser.get(asked.link)
    browser.submit(asked.link, answer="agree")
    assert set(known(town, town.maria)) == {NEW}
    assert claims(town)["email"] == NEW


def test_another_address_goes_at_once_and_is_told_for_the_last_time(town: Town) -> None:
    """Whoever reads there can still object."""
    browser = signed_in(town)
    other = add(town, browser)
    assert act(browser, other, "remove") == "/account/contacts?done=removed"
    assert set(known(town, town.maria)) == {town.maria.email}
    removed = [one for one in told(town, "contact_changed") if one.values["change"] == "removed"]
    assert {one.to for one in removed} == {town.maria.email, NEW}
    assert all(one.path("not_me_url") for one in removed)


@pytest.mark.parametrize("former", [True, False])
def test_a_removed_address_ends_what_its_reader_had_begun(town: Town, *, former: bool) -> None:
    """Sessions elsewhere, and a recovery by that very mailbox; whoever removes it stays signed in."""
    browser, elsewhere = signed_in(town), signed_in(town)
    concerned = add(town, browser)
    if former:
        concerned = known(town, town.maria)[town.maria.email].id
    reader = ask_back_in(town, town.maria.email if former else NEW)
    assert type_code(town, reader).endswith("/password")
    answer = act(browser, concerned, "remove")
    if former:
        assert answer == "/account/contacts?done=waits"
        town.clock.advance(WAIT)
        assert apply_due(town.context, now=int(town.clock())) == 1
        assert browser.get("/account").status_code == 303  # nobody asked for it in this very moment
    else:
        assert browser.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert choose_password(reader) != "/recover/done"
    assert not signs_in(town, town.maria, FRESH)


def test_codes_beside_a_short_password_keep_their_contact_point(phone_town: Town) -> None:
    """Without the number the eight letters would be all; a longer password lets it go."""
    town = phone_town
    _have_phone(town)
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.SMS, "always", now=1)
        session.execute(update(Password).values(is_short=True))
    browser = _signed_in_with_code(town)
    phone = known(town, town.maria)[PHONE.replace(" ", "")].id
    assert "too short to be all that you sign in with" in act(browser, phone, "remove")
    with town.context.database.transaction() as session:
        session.execute(update(Password).values(is_short=False))
    assert act(browser, phone, "remove") == "/account/contacts?done=removed"


def _have_phone(town: Town) -> None:
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        number = PHONE.replace(" ", "")
        contacts.add_confirmed(session, town.context.vault, resident, "phone", number, now=1)


def _signed_in_with_code(town: Town) -> Browser:
    browser = town.browser()
    page = after_password(browser, town.maria)
    browser.get(f"/login/sms-code?attempt={attempt_of(page)}")
    browser.follow(browser.submit("/login/sms-code", send="1"))
    assert browser.submit("/login/sms-code", code=sent_code(town)).status_code == 303
    return browser


def test_the_last_contact_point_stays_unless_another_way_back_is_left(town: Town) -> None:
    """The page says why, and what would help."""
    from idp.login.recovery_codes import service as recovery_codes

    browser = signed_in(town)
    own = known(town, town.maria)[town.maria.email].id
    assert "last place where we reach you" in act(browser, own, "remove")
    with town.context.database.transaction() as session:
        recovery_codes.make(session, town.context.vault, town.maria.resident_id, now=int(town.clock()))
    # They stand in for a second factor; a recovery by them alone there is none.
    assert "last place where we reach you" in act(browser, own, "remove")
    give_address(town, town.maria)
    assert act(browser, own, "remove") == "/account/contacts?done=waits"


def test_the_only_way_in_is_not_removed_with_its_address(town: Town) -> None:
    """Codes by mail open the account and nothing else does: without the address nobody would get in again."""
    give_address(town, town.maria)
    _open_by_mail(town)
    _forget_password(town)
    browser = town.browser()
    ask_for_code(browser, "maria")
    assert browser.submit("/login/email-code", code=sent_code(town)).status_code == 303
    own = known(town, town.maria)[town.maria.email].id
    assert "your only way to sign in" in act(browser, own, "remove")
    assert town.rows(Change) == []
    add(town, browser)
    assert act(browser, own, "remove") == "/account/contacts?done=waits"


def test_an_address_that_became_the_only_way_in_stays_when_its_time_comes(town: Town) -> None:
    """The password went while the removal waited."""
    give_address(town, town.maria)
    _open_by_mail(town)
    browser = signed_in(town)
    own = known(town, town.maria)[town.maria.email].id
    # Changes need a sign-in with all that they have.
    browser.follow(browser.get(f"/account/contacts/{own}"))
    browser.follow(browser.submit("/login", username="maria", password=town.maria.password))
    browser.follow(browser.submit("/login/email-code", send="1"))
    browser.submit("/login/email-code", code=sent_code(town))
    assert act(browser, own, "remove") == "/account/contacts?done=waits"
    _forget_password(town)
    town.clock.advance(WAIT)
    apply_due(town.context, now=int(town.clock()))
    assert town.maria.email in known(town, town.maria)


def _open_by_mail(town: Town) -> None:
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.EMAIL, "alone", now=1)


def _forget_password(town: Town) -> None:
    with town.context.database.transaction() as session:
        session.execute(delete(Password).where(Password.resident_id == town.maria.resident_id))


def test_somebody_elses_contact_point_is_not_there(town: Town) -> None:
    """K34: the same 404 as for one that never was."""
    own = known(town, town.maria)[town.maria.email].id
    jun = signed_in(town, town.jun)
    token = _csrf(jun)
    for path in (f"/account/contacts/{own}", "/account/contacts/nothing"):
        assert jun.get(path).status_code == 404
        for action in ("main", "sign-in", "remove"):
            assert jun.post(f"{path}/{action}", token).status_code == 404
    assert town.maria.email in known(town, town.maria)


def test_changes_need_a_fresh_sign_in(town: Town) -> None:
    """ASVS 7.5.1: an open browser in the library is not enough."""
    browser = signed_in(town)
    own = known(town, town.maria)[town.maria.email].id
    token = _csrf(browser)
    town.clock.advance(301)
    for path in ("/account/contacts/new/email", f"/account/contacts/{own}"):
        assert browser.get(path).headers["Location"].startswith("/login?again=1")
    assert (
        browser.post(f"/account/contacts/{own}/remove", token)
        .headers["Location"]
        .startswith("/login?again=1")
    )
    assert browser.get("/account/contacts").status_code == 200
    assert ISSUER not in browser.last.text
