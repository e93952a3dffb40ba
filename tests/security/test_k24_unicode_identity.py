"""K24: one mailbox has one account, one name has one spelling, and look-alikes are refused rather than guessed."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from admin.officer.rules import reason_problem, tidy_reason
from idp.accounts.contacts import add_confirmed, sign_in_with
from idp.accounts.models import Resident
from idp.accounts.rules import normal_email, normal_phone, normal_username, tidy_name
from idp.accounts.service import NewResident, create_resident, find_resident
from idp.login.budgets.rules import PLANS
from idp.login.codes.rules import TRIES
from idp.login.models import Password
from idp.login.rules import normal_password, password_problem
from idp.messaging.models import Message
from idp.recovery.answering import answer_asked
from idp.signup.models import SignUpLink
from tests.idp.recovery.steps import ask
from tests.support.factors import ask_for_code
from tests.support.told import told
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.town import Browser, Town

AMBIGUOUS = {
    "full-width letters": "ｍaria@example.org",
    "full-width at sign": "maria＠example.org",
    "dotless i": "marıa@example.org",
    "dotted capital I": "MARİA@example.org",
    "sharp s": "maria@straße.example",
    "Kelvin sign": "\u212aaren@example.org",
    "zero-width space": "mar\u200bia@example.org",
    "zero-width joiner": "mar\u200dia@example.org",
    "right-to-left override": "\u202egro.elpmaxe@airam",
    "composed": "josé@example.org",
    "decomposed": unicodedata.normalize("NFD", "josé@example.org"),
    "Cyrillic letter": "mаria@example.org",
    "Cyrillic domain": "maria@ехample.org",
    "trailing dot": "maria@example.org.",
    "two addresses": "maria@example.org,evil@evil.example",
    "address in address": "maria@example.org@evil.example",
    "display name": "Maria <evil@evil.example>",
    "quoted": '"maria"@example.org',
    "comment": "maria(x)@example.org",
    "line break": "maria@example.org\r\nBcc: evil@evil.example",
    "line break before": "x\nmaria@example.org",
    "encoded line break": "maria@example.org%0d%0aBcc:evil@evil.example",
    "inner space": "mar ia@example.org",
    "NUL": "maria@example.org\x00.evil.example",
    "address literal": "maria@[127.0.0.1]",
    "one label": "maria@localhost",
    "dots": "maria..x@example.org",
    "long": f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.org",
}
ONE_MAILBOX = ["maria@example.org", "MARIA@EXAMPLE.ORG", "Maria@Example.Org", "  maria@example.org\t"]


def test_an_ambiguous_address_is_refused_before_anything_is_written(town: Town) -> None:
    """CVE-2019-19844: neither folded nor guessed; no link, no mail."""
    browser = town.browser()
    for name, address in AMBIGUOUS.items():
        browser.get("/signup")
        answer = browser.submit("/signup", email=address)
        assert answer.status_code == 422, name
    assert (town.rows(SignUpLink), town.rows(Message)) == ([], [])


def test_an_ambiguous_name_finds_nobody(town: Town) -> None:
    """A look-alike of Maria's address or user name signs nobody in."""
    names = [*AMBIGUOUS.values(), "ｍaria", "marıa", "mar\u200bia", "mаria", "maria\x00", "MARİA"]
    with town.context.database.reading() as session:
        for name in names:
            assert find_resident(session, town.context.vault, name) is None, ascii(name)


def test_every_spelling_of_a_mailbox_is_one_account(town: Town) -> None:
    """Case and surrounding space make no second account, and mail goes to the address as it is kept."""
    with town.context.database.reading() as session:
        for spelling in (*ONE_MAILBOX, "Maria", " MARIA "):
            found = find_resident(session, town.context.vault, spelling)
            assert found is not None, spelling
            assert found.id == town.maria.resident_id
    for spelling in ONE_MAILBOX:
        browser = town.browser()
        browser.http.environ_base["REMOTE_ADDR"] = "192.0.2.9"
        browser.get("/signup")
        browser.submit("/signup", email=spelling)
    mails = told(town)
    assert {mail.to for mail in mails} == {"maria@example.org"}
    assert all("/signup/confirm" not in mail.link for mail in mails)


def test_spellings_of_one_mailbox_share_its_budget(town: Town) -> None:
    """Nobody's mailbox is flooded by typing it in another case."""
    browser, codes = town.browser(), []
    for spelling in ONE_MAILBOX:
        browser.get("/signup")
        codes.append(browser.submit("/signup", email=spelling).status_code)
    assert codes == [200, 200, 200, 429]


GATEWAY = {"provider": "http", "url": "https://sms.example.org/send", "sender": "Riverton"}
NUMBER = "+33612345678"
ONE_NUMBER = [
    NUMBER,
    "0612345678",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "06-12-34-56-78",
    "0612-345678",
    "+33 6 12 34 56 78",
    "+33 (0)6 12 34 56 78",
    "0033612345678",
    " 06 1234 5678 ",
]


@pytest.fixture
def texted(database_url: str, founding: Founding, tmp_path: Path) -> Iterator[Town]:
    """A French town that sends text messages. Maria signs in with her number, and has no password."""
    town = make_town(database_url, tmp_path, founding=founding, sms=GATEWAY, accounts={"country": "FR"})
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        point = add_confirmed(session, town.context.vault, resident, "phone", NUMBER, now=int(town.clock()))
        sign_in_with(session, resident.id, point.id)
        session.execute(delete(Password).where(Password.resident_id == resident.id))
    yield town
    town.context.database.close()


def stranger(town: Town, number: int) -> Browser:
    """A browser from a source of its own."""
    browser = town.browser()
    browser.http.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
    return browser


def test_spellings_of_one_number_share_its_budget_in_recovery(texted: Town) -> None:
    """Nobody's telephone is flooded by typing its number in another way, from wherever."""
    codes = []
    for number, spelling in enumerate(ONE_NUMBER):
        browser = stranger(texted, number)
        browser.get("/recover")
        codes.append(browser.submit("/recover", name=spelling, wish="message").status_code)
        answer_asked(texted.context, now=int(texted.clock()))
    assert codes == [303] * 10
    assert [(one.channel, one.to) for one in told(texted, "recover")] == [("sms", NUMBER)] * 3


def test_spellings_of_one_number_share_its_budget_of_codes(texted: Town) -> None:
    """From one place, the codes for signing in as well; and the budget of one number is not that of another."""
    codes = [
        ask_for_code(stranger(texted, 1), spelling, "sms").status_code
        for spelling in [*ONE_NUMBER, "0612345679"]
    ]
    assert codes == [200] * 5 + [429] * 5 + [200]
    assert [(one.channel, one.to) for one in told(texted, "sign_in_code")] == [("sms", NUMBER)] * 5


def test_a_code_goes_to_the_number_that_was_typed_in_whatever_way(texted: Town) -> None:
    """It is one of two, and not the main one: its spelling is no reason to write to the other."""
    with texted.context.database.transaction() as session:
        resident = session.get_one(Resident, texted.maria.resident_id)
        point = add_confirmed(session, texted.context.vault, resident, "phone", "+33612345679", now=1)
        sign_in_with(session, resident.id, point.id)
    ask_for_code(texted.browser(), "06 12 34 56 79", "sms")
    assert [one.to for one in told(texted, "sign_in_code")] == ["+33612345679"]


def test_spellings_of_one_number_share_its_guesses(texted: Town) -> None:
    """From one source, passwords for a number are counted once, whoever has it."""
    browser, codes, each = stranger(texted, 1), [], PLANS["password"].each or 0
    for number in range(each + 3):
        browser.get("/login")
        typed = {"username": ONE_NUMBER[number % len(ONE_NUMBER)], "password": "wrong"}
        codes.append(browser.submit("/login", **typed).status_code)
    assert codes == [422] * each + [429] * 3


def test_guesses_at_a_sent_code_share_the_budget_of_its_number(texted: Town) -> None:
    """However the number was typed when the code was asked for."""
    codes = []
    for spelling in ONE_NUMBER[:4]:
        browser = stranger(texted, 1)
        ask_for_code(browser, spelling, "sms")
        codes += [browser.submit("/login/sms-code", code="00000000").status_code for _ in range(TRIES)]
    each = PLANS["sms-code"].each or 0
    assert codes[:each] == [422] * each
    assert set(codes[each:]) == {429}


@pytest.mark.parametrize("taken", ["e-mail", "user name"])
def test_the_database_itself_refuses_a_second_account(town: Town, taken: str) -> None:
    """Two requests at once cannot both win: the index is unique over the normal form."""
    email, username = ("MARIA@example.org", None) if taken == "e-mail" else (None, "MARIA")
    with pytest.raises(IntegrityError), town.context.database.transaction() as session:
        create_resident(session, town.context.vault, NewResident("en", {}, email, username), now=1)
    assert len(town.rows(Resident)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "\u212aaren",
        "ｋaren",
        "karén",
        "kar\u200ben",
        "кaren",
        "ka",
        "-karen",
        "karen@example.org",
        "k" * 41,
        "a b c",
    ],
)
def test_a_user_name_is_plain_letters_or_none(text: str) -> None:
    """The Kelvin sign lower-cases to a plain k; it is refused all the same."""
    assert normal_username(text) is None


def test_names_keep_their_script_and_lose_what_hides() -> None:
    """People are called what they are called; direction marks and control characters are no letters."""
    assert tidy_name(unicodedata.normalize("NFD", " José  María ")) == "José María"
    for name in ("Юлия", "محمد", "中村", "O’Brien-Ｋ", "नरेन्द्र", "می\u200cخواهم"):
        assert tidy_name(name) == unicodedata.normalize("NFC", name)
    for name in ("\u202eevil", "a\x00b", "a\u2066b", "a\ud800b", "\ue000", "", "  ", "x" * 101):
        assert tidy_name(name) is None, ascii(name)


def test_no_look_alike_becomes_a_contact_point(town: Town) -> None:
    """The same rule for every further address: refused before anything is written or sent."""
    browser = town.browser()
    browser.sign_in(town.maria)
    for name, address in AMBIGUOUS.items():
        browser.get("/account/contacts/new/email")
        answer = browser.submit("/account/contacts/new/email", value=address)
        assert answer.status_code == 422, name
    assert [row for row in town.rows(Message) if row.name == "contact_confirm"] == []


def test_a_spelling_of_a_known_mailbox_is_no_second_contact_point(town: Town) -> None:
    """One mailbox is one contact point, and the one who signs in with it is one resident."""
    browser = town.browser()
    browser.sign_in(town.maria)
    for spelling in ONE_MAILBOX:
        browser.get("/account/contacts/new/email")
        answer = browser.submit("/account/contacts/new/email", value=spelling)
        assert answer.status_code == 422, spelling
        assert "We reach you there already" in answer.text


def test_no_look_alike_is_sent_a_way_back_in(town: Town) -> None:
    """CVE-2019-19844: a recovery goes to the address as it is kept, and look-alikes of it reach nobody."""
    for name in [*AMBIGUOUS.values(), *ONE_MAILBOX]:
        ask(town, name)
        town.clock.advance(3600)  # throttles are not the subject
    sent = told(town)
    assert {one.to for one in sent} == {"maria@example.org"}
    assert {one.name for one in sent} == {"recover"}
    assert len(sent) == len(ONE_MAILBOX)


@pytest.mark.parametrize(
    "text",
    [
        "＋33612345678",
        "+33６12345678",
        "٠٦١٢٣٤٥٦٧٨",
        "+33\u200b612345678",
        "+33 6 12 34 56 78\r\nBcc: x",
        "+33612345678;ext=9",
        "+33612345678,+33612345679",
        "tel:+33612345678",
        "+33 6 1234",
        "+999 123456789",
        "0899 123 456",
        "112",
        "+" + "3" * 40,
        "",
    ],
)
def test_a_number_is_plain_digits_or_none(text: str) -> None:
    """No other digits, no extensions, no lists, and none that costs whoever writes to it."""
    assert normal_phone(text, "FR") is None


def test_every_spelling_of_a_number_is_one() -> None:
    """E.164, wherever it is dialled from."""
    spellings = [
        "0612345678",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "+33 6 12 34 56 78",
        "+33 (0)6 12-34-56-78",
    ]
    assert {normal_phone(one, "FR") for one in spellings} == {"+33612345678"}
    assert normal_phone("0612345678") is None


def test_normal_addresses_pass() -> None:
    """The rule refuses look-alikes, not people."""
    for address in ("a@b.co", "first.last+tag@sub.example.museum", "o'neil_1@xn--mnchen-3ya.example"):
        assert normal_email(address) == address


def test_a_password_is_normalised_to_nfc_and_not_changed_otherwise(town: Town) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: every keyboard's spelling of é works; nothing is trimmed, folded or cut."""
    from idp.login.passwords import set_password

    passwords = town.app.extensions["denizen.login"].passwords
    right = "José rows a small red boat " + "x" * 100
    with town.context.database.transaction() as session:
        set_password(session, passwords, town.maria.resident_id, right, now=1)
    spellings = {
        unicodedata.normalize("NFC", right): 303,
        unicodedata.normalize("NFD", right): 303,
        right.replace("J", "Ｊ"): 422,
        right.lower(): 422,
        right + " ": 422,
        right[:-1]: 422,
        right + "x": 422,
        right.replace("José", "Jose"): 422,
    }
    for spelling, status in spellings.items():
        browser = town.browser()
        browser.get("/login")
        answer = browser.submit("/login", username="maria", password=spelling)
        assert answer.status_code == status, ascii(spelling)


def test_a_letter_under_thousands_of_marks_is_not_put_in_order() -> None:
    """Unicode sorts marks of different kinds, which takes the square of their number: seconds for one form."""
    marked = "a" + "\u0301" * 600 + "\u0316" * 600
    assert normal_password(marked) == marked
    assert password_problem(marked, minimum=15, context_words=()) == "too_long"
    assert tidy_name(marked) is None
    assert reason_problem(tidy_reason("three words here " + marked)) == "too_long"
    decomposed = "e\u0301" * 100
    assert normal_password(decomposed) == "é" * 100
    assert tidy_name(decomposed) == "é" * 100
