"""Getting back in by each way: the same resident afterwards, everything lost dead, everybody told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from idp.accounts import contacts
from idp.accounts.contacts import add_confirmed
from idp.accounts.models import Resident
from idp.contacts.service import apply_due
from idp.login.codes import service as codes
from idp.login.codes.rules import Channel
from idp.login.devices.models import KnownDevice
from idp.login.otp.models import AuthenticatorApp
from idp.login.recovery_codes import service as recovery_codes
from idp.recovery import finishing
from idp.recovery.answering import answer_asked
from idp.recovery.freeze import freeze
from idp.recovery.models import Case, Helper, Token
from tests.idp.contacts import test_contacts as contact_steps
from tests.idp.recovery.steps import (
    FRESH,
    app_code,
    ask,
    case_page,
    choose_password,
    give_address,
    give_app,
    path_of,
    protect,
    signs_in,
    trust,
    type_code,
)
from tests.support.statements import side_by_side
from tests.support.told import told
from tests.support.town import Proof, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

DAY = 86_400
WAIT = 72 * 3600


@pytest.fixture
def texting(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A town that sends text messages, and Maria's telephone."""
    sms = {"provider": "http", "url": "https://sms.example/send", "sender": "Riverton"}
    town = make_town(database_url, tmp_path, founding=founding, sms=sms)
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        add_confirmed(session, town.context.vault, resident, "phone", "+33612345678", now=int(town.clock()))
    yield town
    town.context.database.close()


def sub(town: Town, password: str | None = None) -> str:
    """By what the library knows Maria."""
    from dataclasses import replace

    person = replace(town.maria, password=password or town.maria.password)
    tokens = town.tokens(town.library, person, "openid")
    found: str = town.userinfo(tokens["access_token"]).json["sub"]
    return found


# --- a message ---


@pytest.mark.parametrize("name", ["maria", "maria@example.org", " MARIA@example.org "])
def test_a_code_by_mail_leads_to_a_new_password(town: Town, name: str) -> None:
    """Named by user name or address; the former password dies with every session and token, and the owner is told."""
    before = sub(town)
    elsewhere = town.browser()
    elsewhere.sign_in(town.maria)
    tokens = town.tokens(town.library, town.maria, "openid offline_access")
    browser = ask(town, name)
    assert type_code(town, browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"
    assert not signs_in(town, town.maria, town.maria.password)
    assert signs_in(town, town.maria, FRESH)
    assert elsewhere.get("/account").status_code == 303
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    assert sub(town, FRESH) == before
    assert [one.to for one in told(town, "account_recovered")] == [town.maria.email]


def test_a_link_goes_on_in_the_browser_that_opens_it(town: Town) -> None:
    """The mail is read on the phone: looking spends nothing, a click does, and the first browser waits in vain (K23)."""
    first, phone = ask(town, "maria"), town.browser()
    page = case_page(first)
    link = told(town, "recover")[-1].link
    for _ in range(2):
        assert phone.get(link).status_code == 200
    assert "Maria" in phone.last.text
    assert phone.submit(link).status_code == 303
    assert path_of(phone).endswith("/password")
    assert first.get(page).status_code == 200
    code = told(town, "recover")[-1].values["code"]
    assert first.submit(f"{page}/code", code=code).status_code == 422
    assert first.get(f"{page}/password").headers["Location"] == page
    assert choose_password(phone) == "/recover/done"


def test_people_who_share_an_address_get_a_message_each(town: Town) -> None:
    """Each names its person; neither link opens the other's account."""
    from tests.idp.contacts.test_contacts import add, signed_in

    add(town, signed_in(town), "home@example.org")
    add(town, signed_in(town, town.jun), "home@example.org")
    town.clock.advance(3600)  # no more than three codes in ten minutes
    ask(town, "home@example.org")
    sent = told(town, "recover")
    assert {one.to for one in sent} == {"home@example.org"}
    assert sorted(one.values["person"] for one in sent) == ["Jun", "Maria Okafor"]
    jun_link = next(one.link for one in sent if one.values["person"] == "Jun")
    browser = town.browser()
    browser.get(jun_link)
    browser.submit(jun_link)
    browser.follow()
    assert choose_password(browser) == "/recover/done"
    assert signs_in(town, town.jun, FRESH)
    assert signs_in(town, town.maria, town.maria.password)


def test_the_request_of_a_partner_is_continued_afterwards(town: Town) -> None:
    """The resident came from the library, forgot the password, and ends at the library."""
    from tests.support.town import Proof, code_of

    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof)).text
    flow = re.findall(r"flow=([\w-]{43})", page)[0]
    browser.get(f"/recover?flow={flow}")
    browser.submit("/recover", name="maria", wish="message")
    from idp.recovery.answering import answer_asked

    answer_asked(town.context, now=int(town.clock()))
    browser.follow()
    type_code(town, browser)
    choose_password(browser)
    assert f"flow={flow}" in browser.last.text
    browser.get(f"/login?flow={flow}")
    answer = browser.follow(browser.submit("/login", username="maria", password=FRESH))
    if answer.status_code == 200:
        answer = browser.follow(browser.allow())
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200


# --- the second factor ---


def test_an_enrolled_second_factor_is_owed_beside_the_message(town: Town) -> None:
    """K27: the mailbox alone sets no password, by whatever address; the app's code does, once."""
    secret = give_app(town, town.maria)
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/second")
    page = case_page(browser)
    assert browser.get(f"{page}/password").status_code == 303
    assert path_of(browser).endswith("/second")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.last.text)[0]
    browser.post(f"{page}/password", {"csrf_token": token, "password": FRESH})
    assert not signs_in(town, town.maria, FRESH)
    browser.get(f"{page}/second")
    assert browser.submit(f"{page}/second", code="000000").status_code == 422
    browser.submit(f"{page}/second", code=app_code(town, secret))
    assert path_of(browser).endswith("/password")
    assert "The app that shows codes" in browser.last.text
    assert choose_password(browser, keep=("totp",)) == "/recover/done"
    assert len(town.rows(AuthenticatorApp)) == 1


def test_what_is_not_ticked_as_kept_is_gone(town: Town) -> None:
    """The default leaves no way in to whoever took the account over."""
    secret = give_app(town, town.maria)
    browser = ask(town, "maria")
    type_code(town, browser)
    page = case_page(browser)
    browser.submit(f"{page}/second", code=app_code(town, secret))
    path_of(browser)
    choose_password(browser)
    assert town.rows(AuthenticatorApp) == []


def test_a_recovery_code_stands_in_for_the_second_factor(town: Town) -> None:
    """Recovery code and contact point together; the code works once."""
    give_app(town, town.maria)
    with town.context.database.transaction() as session:
        codes = recovery_codes.make(
            session, town.context.vault, town.maria.resident_id, now=int(town.clock())
        )
    browser = ask(town, "maria")
    type_code(town, browser)
    page = case_page(browser)
    browser.submit(f"{page}/second", code=codes[0])
    assert path_of(browser).endswith("/password")
    again = ask(town, "maria")
    type_code(town, again)
    assert again.submit(f"{case_page(again)}/second", code=codes[0]).status_code == 422


# --- a letter ---


def test_a_letter_leads_to_a_new_password(town: Town) -> None:
    """Nothing left but the post: the code works once, from any browser, and every channel was told at the start."""
    give_address(town, town.maria)
    before = sub(town)
    ask(town, "maria", "letter")
    (letter,) = told(town, "recovery_letter")
    assert letter.channel == "letter"
    assert letter.to["lines"] == ["12 Bridge Street", "40110 Riverton"]
    assert [one.to for one in told(town, "recovery_started")] == [town.maria.email]
    town.clock.advance(5 * DAY)
    browser = town.browser()
    browser.get("/recover/letter")
    browser.submit("/recover/letter", code=letter.values["code"].lower())
    assert path_of(browser).endswith("/password")
    assert choose_password(browser) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)
    assert sub(town, FRESH) == before
    other = town.browser()
    other.get("/recover/letter")
    assert other.submit("/recover/letter", code=letter.values["code"]).status_code == 422


def test_a_letter_code_ends_after_three_weeks(town: Town) -> None:
    """21 days (NIST SP 800-63A-4): no longer."""
    give_address(town, town.maria)
    ask(town, "maria", "letter")
    code = told(town, "recovery_letter")[0].values["code"]
    town.clock.advance(21 * DAY)
    browser = town.browser()
    browser.get("/recover/letter")
    assert browser.submit("/recover/letter", code=code).status_code == 422


def test_letters_are_a_day_apart_and_only_the_latest_works(town: Town) -> None:
    """One live at a time; three within the time in which one works, whatever is asked."""
    give_address(town, town.maria)
    for _ in range(2):
        ask(town, "maria", "letter")
        town.clock.advance(DAY - 1)
    assert len(told(town, "recovery_letter")) == 1
    for _ in range(5):
        town.clock.advance(DAY)
        ask(town, "maria", "letter")
    letters = told(town, "recovery_letter")
    assert len(letters) == 3
    browser = town.browser()
    for letter, status in zip(letters, (422, 422, 303), strict=True):
        browser.get("/recover/letter")
        assert browser.submit("/recover/letter", code=letter.values["code"]).status_code == status


def test_no_letter_goes_to_an_address_that_is_unproved_or_protected(town: Town) -> None:
    """Who changed the address in the account gets nothing; a protected address is never printed."""
    give_address(town, town.maria, verified=False)
    ask(town, "maria", "letter")
    give_address(town, town.jun)
    protect(town, town.jun)
    ask(town, "jun", "letter")
    assert told(town, "recovery_letter") == []


def also(browser: Browser, wish: str) -> None:
    """Ask for one more proof."""
    page = f"{case_page(browser)}/other"
    browser.get(page)
    browser.submit(page, wish=wish)
    browser.follow()


def type_letter(town: Town, browser: Browser) -> str:
    """Type the code of the latest letter; where that leads."""
    browser.get("/recover/letter")
    browser.submit("/recover/letter", code=told(town, "recovery_letter")[-1].values["code"])
    return path_of(browser)


def test_a_lost_second_factor_is_replaced_by_a_second_channel(town: Town) -> None:
    """K27: the mailbox and then a letter; either alone does not do, and the lost app is gone afterwards."""
    give_app(town, town.maria)
    give_address(town, town.maria)
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/second")
    also(browser, "letter")
    assert browser.get(f"{case_page(browser)}/password").status_code == 303
    town.clock.advance(4 * DAY)
    other = town.browser()
    assert type_letter(town, other).endswith("/password")
    assert "The app that shows codes" not in other.last.text
    assert choose_password(other, keep=("totp",)) == "/recover/done"
    assert town.rows(AuthenticatorApp) == []
    assert signs_in(town, town.maria, FRESH)


def test_a_letter_alone_does_not_pass_by_a_second_factor(town: Town) -> None:
    """K27: a letter is one of two; a message is the other, in the same recovery."""
    give_app(town, town.maria)
    give_address(town, town.maria)
    ask(town, "maria", "letter")
    browser = town.browser()
    assert type_letter(town, browser).endswith("/second")
    also(browser, "message")
    code = told(town, "recover")[-1].values["code"]
    page = case_page(browser)
    browser.submit(f"{page}/code", code=code)
    assert path_of(browser).endswith("/password")


def test_a_lost_second_factor_and_somebody_trusted(town: Town) -> None:
    """The mailbox, and somebody's word after three days."""
    trust(town, town.maria, town.jun)
    give_app(town, town.maria)
    browser = ask(town, "maria")
    type_code(town, browser)
    also(browser, "helper")
    compare, _ = digits_of(browser)
    assert help_maria(town, compare) == 303
    page = case_page(browser)
    browser.get(page)
    assert path_of(browser).endswith("/second")
    town.clock.advance(WAIT)
    browser.get(page)
    assert path_of(browser).endswith("/password")


def test_a_wrong_code_beside_a_letter_is_said_on_the_page_that_asks_for_it(town: Town) -> None:
    """A recovery that began with a letter asks for a message, too: the form comes back with the error."""
    give_app(town, town.maria)
    give_address(town, town.maria)
    ask(town, "maria", "letter")
    browser = town.browser()
    type_letter(town, browser)
    also(browser, "message")
    answer = browser.submit(f"{case_page(browser)}/code", code="00000000")
    assert answer.status_code == 422
    assert "The code is not right" in answer.text
    assert 'name="code"' in answer.text
    assert "Wait for the letter" not in answer.text


def test_the_second_step_asks_for_what_the_resident_has(texting: Town) -> None:
    """Whoever gets codes by text message is not asked for an app: the code is sent, and it is enough."""
    town = texting
    give_address(town, town.maria)
    with town.context.database.transaction() as session:
        codes.choose(session, town.maria.resident_id, Channel.SMS, "always", now=int(town.clock()))
    ask(town, "maria", "letter")
    browser = town.browser()
    assert type_letter(town, browser).endswith("/second")
    page = browser.last.text
    assert 'name="code"' not in page
    assert "app" not in page.partition("<main")[2].partition("</main>")[0].replace("happen", "")
    browser.submit(f"{case_page(browser)}/other")
    browser.follow()
    browser.submit(f"{case_page(browser)}/code", code=told(town, "recover")[-1].values["code"])
    assert path_of(browser).endswith("/password")


@pytest.mark.parametrize(
    ("app", "made", "label"),
    [
        (True, False, "Code from your app<"),
        (True, True, "Code from your app, or one of your recovery codes<"),
    ],
)
def test_the_field_of_the_second_step_names_what_the_resident_has(
    town: Town, app: bool, made: bool, label: str
) -> None:
    if app:
        give_app(town, town.maria)
    if made:
        with town.context.database.transaction() as session:
            recovery_codes.make(session, town.context.vault, town.maria.resident_id, now=int(town.clock()))
    browser = ask(town, "maria")
    assert type_code(town, browser).endswith("/second")
    assert f">{label}" in browser.last.text


def test_a_second_message_does_not_replace_a_lost_app(town: Town) -> None:
    """Two mailboxes are one channel: only slow ways are offered beside a message."""
    give_app(town, town.maria)
    browser = ask(town, "maria")
    type_code(town, browser)
    page = f"{case_page(browser)}/other"
    shown = browser.get(page).text
    assert 'value="message"' not in shown
    browser.submit(page, wish="message")
    assert len(told(town, "recover")) == 1


# --- somebody trusted ---


def digits_of(browser: Browser) -> tuple[str, str]:
    """The digits to be read out, and the code to come back with."""
    compare = re.findall(r'<strong dir="ltr">(\d{6})</strong>', browser.last.text)[0]
    back = re.findall(r'<strong dir="ltr">([0-9A-Z-]{19})</strong>', browser.last.text)[0]
    return compare, back


def help_maria(town: Town, compare: str) -> int:
    """Jun gives his word; the status of the answer."""
    jun = town.browser()
    jun.sign_in(town.jun)
    page = jun.get("/account/helpers").text
    (path,) = re.findall(r'href="(/account/helpers/help/[^"]+)"', page)
    jun.get(path)
    return jun.submit(path, digits=compare).status_code


def test_somebody_trusted_and_three_days_lead_to_a_new_password(town: Town) -> None:
    """Named before, confirmed with the digits on the screen, and only after the delay; from any browser."""
    trust(town, town.maria, town.jun)
    browser = ask(town, "maria", "helper")
    compare, back = digits_of(browser)
    assert [one.to for one in told(town, "help_wanted")] == [town.jun.email]
    assert not told(town, "help_wanted")[0].values.get("not_me_url"), "it would freeze the helper's account"
    assert not told(town, "helper_asked")[0].values.get("not_me_url")
    assert told(town, "recovery_started")[0].values["not_me_url"]
    assert help_maria(town, compare) == 303
    assert [one.to for one in told(town, "recovery_waits")] == [town.maria.email]
    page = case_page(browser)
    assert browser.get(page).status_code == 200
    assert browser.get(f"{page}/password").status_code == 303
    town.clock.advance(WAIT)
    other = town.browser()
    other.get("/recover/return")
    other.submit("/recover/return", code=back)
    assert path_of(other).endswith("/password")
    assert choose_password(other) == "/recover/done"
    assert signs_in(town, town.maria, FRESH)


def test_somebody_with_a_telephone_alone_is_asked_and_called(texting: Town) -> None:
    """Maria has no mail address here: by text message she is asked whether she would help, and later for her help."""
    town = texting
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        for point in contacts.of_resident(session, town.context.vault, resident):
            if point.kind == "email":
                contacts.remove(session, town.context.vault, resident, point.id, now=int(town.clock()))
    trust(town, town.jun, town.maria)
    ask(town, "jun", "helper")
    got = [(one.name, one.to) for one in told(town) if one.channel == "sms" and one.name.startswith("help")]
    assert got == [("helper_asked", "+33612345678"), ("help_wanted", "+33612345678")]


def test_digits_of_another_screen_confirm_nothing(town: Town) -> None:
    """A thief asks at the same time: the helper who talks to Maria cannot confirm the thief's request."""
    trust(town, town.maria, town.jun)
    thief = ask(town, "maria", "helper")
    compare, _ = digits_of(thief)
    wrong = f"{(int(compare) + 1) % 10**6:06}"
    assert help_maria(town, wrong) == 422
    assert [row.ripe_at for row in town.rows(Case)] == [None]


def test_a_recovery_forgets_what_a_thief_had_prepared(town: Town) -> None:
    """The browser in which they had signed in is told of as new again, and their address does not become the owner's."""
    thief = contact_steps.signed_in(town)
    theirs = contact_steps.add(town, thief, "thief@example.org")
    assert contact_steps.act(thief, theirs, "sign-in") == "/account/contacts?done=waits"
    before = len(told(town, "new_device"))
    browser = ask(town, "maria")
    type_code(town, browser)
    assert choose_password(browser) == "/recover/done"
    assert town.rows(KnownDevice) == []
    town.clock.advance(WAIT)
    assert apply_due(town.context, now=int(town.clock())) == 0
    thief.get("/login")
    assert thief.submit("/login", username="maria", password=FRESH).status_code == 303
    assert len(told(town, "new_device")) > before


def test_a_frozen_account_knows_no_device(town: Town) -> None:
    town.browser().sign_in(town.maria)
    with town.context.database.transaction() as session:
        freeze(session, town.context, town.maria.resident_id, now=int(town.clock()))
    assert town.rows(KnownDevice) == []


def test_signing_in_stops_a_recovery(town: Town) -> None:
    """The owner is there after all: whoever waits for the delay waits in vain."""
    trust(town, town.maria, town.jun)
    browser = ask(town, "maria", "helper")
    compare, _ = digits_of(browser)
    help_maria(town, compare)
    page = case_page(browser)
    owner, later = town.browser(), town.browser()
    owner.sign_in(town.maria)
    assert "so that is stopped" in owner.get("/account").text
    town.clock.advance(WAIT)
    later.sign_in(town.maria)
    assert "so that is stopped" not in later.get("/account").text
    assert browser.get(page).status_code == 410
    assert [row.state for row in town.rows(Case)] == ["stopped"]


def test_a_link_that_was_asked_for_is_stopped_by_signing_in_and_it_is_said(town: Town) -> None:
    ask(town, "maria")
    owner = town.browser()
    owner.sign_in(town.maria)
    assert "so that is stopped" in owner.get("/").text
    town.clock.advance(601)
    assert "so that is stopped" not in owner.get("/").text


@pytest.mark.parametrize("name", ["maria", "MARIA@example.org", " maria@example.org "])
def test_nobody_is_their_own_helper(town: Town, name: str) -> None:
    """Whoever cannot sign in could not help either."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/account/helpers/new")
    answer = browser.submit("/account/helpers/new", name=name)
    assert answer.status_code == 422
    assert "This is you." in answer.text
    assert town.rows(Helper) == []


def test_a_stranger_cannot_be_made_to_help(town: Town) -> None:
    """Only who was named and agreed: the page for anybody else is not there."""
    ask(town, "maria", "helper")
    assert told(town, "help_wanted") == []
    (case,) = town.rows(Case)
    jun = town.browser()
    jun.sign_in(town.jun)
    assert jun.get(f"/account/helpers/help/{case.id}").status_code == 404


# --- what cannot be recovered ---


def test_the_last_step_itself_asks_again_what_was_proved(town: Town) -> None:
    """K27: not the page alone; between it and the write an app may have been enrolled."""
    from idp.login.factors import WAYS
    from idp.recovery import service
    from idp.recovery.finishing import finish

    browser = ask(town, "maria")
    handle = type_code(town, browser).split("/")[3]
    cookie = next(one.value for one in browser.http._cookies.values() if one.key.endswith("browser"))
    give_app(town, town.maria)
    with town.context.database.transaction() as session:
        found = service.find(session, handle, browser=cookie, now=int(town.clock()))
        assert found is not None
        done = finish(
            session, town.context, WAYS, found, encoded="$argon2id$x", keep=(), now=int(town.clock())
        )
    assert not done
    assert [row.state for row in town.rows(Case)] == ["open"]


def test_a_closed_account_stays_closed(town: Town) -> None:
    """Nothing is sent, and a recovery under way ends there."""
    browser = ask(town, "maria")
    type_code(town, browser)
    page = case_page(browser)
    with town.context.database.transaction() as session:
        session.get_one(Resident, town.maria.resident_id).state = "closed"
    assert browser.get(f"{page}/password").status_code == 410
    ask(town, "maria@example.org")
    assert len(told(town, "recover")) == 1
    assert len(town.rows(Token)) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_end_of_a_recovery_and_its_link_take_turns(town: Town) -> None:
    """Two tabs of one recovery: neither waits for what the other holds while that waits for it."""
    browser, other = ask(town, "maria"), town.browser()
    page, link = case_page(browser), told(town, "recover")[-1].link
    type_code(town, browser)
    with town.context.database.transaction() as session:  # one more message of this case, with another link
        session.execute(update(Token).values(spent_at=None))
    other.get(link)
    browser.get(f"{page}/password")
    done, opened = side_by_side(
        town.context.database,
        lambda: browser.submit(f"{page}/password", password=FRESH).headers["Location"],
        lambda: other.submit(link).status_code,
        meets_at=(finishing, "_end"),
    )
    assert done.startswith("/recover/done")
    assert opened == 410


def test_strangers_who_ask_make_no_digits_on_a_telephone_worthless(texting: Town) -> None:
    """K28: the text message has no link, so the digits are all that its owner has, in the browser that asked for them."""
    owner, number = ask(texting, "+33612345678"), "+33612345678"
    digits = told(texting, "recover")[-1].values["code"]
    texting.clock.advance(1)
    stranger = ask(texting, number)
    assert not type_code(texting, stranger, digits).endswith("/password"), (
        "they are good in one browser alone"
    )
    assert type_code(texting, owner, digits).endswith("/password")


def test_a_recovery_that_ends_on_another_device_takes_the_request_along(town: Town) -> None:
    """The mail is read on the telephone: from there it goes on to the library, and the computer has the request no more."""
    computer, telephone, proof = town.browser(), town.browser(), Proof()
    page = computer.follow(computer.authorize(town.library, "openid", proof))
    flow = page.request.args["flow"]
    computer.get(f"/recover?flow={flow}")
    computer.submit("/recover", name="maria", wish="message")
    answer_asked(town.context, now=int(town.clock()))
    link = told(town, "recover")[-1].link
    telephone.get(link)
    telephone.submit(link)
    telephone.follow()
    assert choose_password(telephone) == "/recover/done"
    assert telephone.last is not None
    (onward,) = re.findall(r'href="(/login\?flow=[^"]+)"', telephone.last.text)
    telephone.get(onward)
    answer = telephone.follow(telephone.submit("/login", username="maria", password=FRESH))
    answer = telephone.follow(telephone.allow()) if 'action="/consent"' in answer.text else answer
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200
    assert computer.get(f"/authorize/continue?flow={flow}").status_code == 400
