"""Sign-up: a link by mail, opened by whoever reads that mailbox, spent once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from idp.accounts.models import Resident
from idp.accounts.service import NewResident, create_resident, read_attributes
from idp.login.devices.models import KnownDevice
from idp.login.models import BrowserSession
from idp.messaging.models import Message
from idp.signup.models import SignUpLink
from idp.signup.service import spend_link
from tests.support.told import told
from tests.support.town import Proof, code_of, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

NEW = "noor@example.org"
TYPED = {"given_name": " Noor ", "family_name": "", "username": "", "password": "eleven grey herons waiting"}


def links(town: Town) -> list[str]:
    """The paths of all links mailed so far, oldest first."""
    return [one.link for one in told(town, "confirm_sign_up")]


def ask(town: Town, email: str = NEW, browser: Browser | None = None) -> Browser:
    """Ask for a link."""
    browser = browser or town.browser()
    browser.get("/signup")
    assert browser.submit("/signup", email=email).status_code == 200
    town.clock.advance(1)
    return browser


def opened(town: Town) -> Browser:
    """Ask for a link, and open it."""
    browser = ask(town)
    browser.get(links(town)[0])
    return browser


def test_a_newcomer_opens_an_account_and_is_signed_in(town: Town) -> None:
    """Journey 1: address, link, name and password; the account page greets them, and a mail says welcome."""
    browser = ask(town)
    (link,) = links(town)
    browser.get(link)
    answer = browser.submit("/signup/confirm", **TYPED)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    page = browser.follow().text
    assert "Noor" in page
    assert NEW in page
    assert "Your account is open, and you are signed in." in page
    assert [mail.to for mail in told(town, "welcome")] == [NEW]
    other = town.browser()
    other.get("/login")
    town.clock.advance(1)
    assert other.submit("/login", username=NEW, password=TYPED["password"]).status_code == 303
    assert "Your account is open" not in other.get("/account").text


@pytest.mark.parametrize("ticked", [{}, {"shared": "1"}], ids=["not ticked", "ticked"])
def test_a_newcomer_says_that_others_use_the_computer(town: Town, ticked: dict[str, str]) -> None:
    """It is where a session begins, as on every other page that asks: short, and no device is known by it."""
    browser = opened(town)
    assert 'name="shared"' in browser.last.text  # type: ignore[union-attr] # a page was just shown
    mistyped = browser.submit("/signup/confirm", **{**TYPED, "password": "short"}, **ticked).text
    assert bool(re.search(r'<input[^>]*name="shared"[^>]* checked', mistyped)) is bool(ticked)
    assert browser.submit("/signup/confirm", **TYPED, **ticked).status_code == 303
    (session,) = town.rows(BrowserSession)
    assert bool(session.is_shared) is bool(ticked)
    assert bool(town.rows(KnownDevice)) is not bool(ticked)


def test_an_account_opened_on_the_way_to_a_partner_leads_on_to_it(town: Town) -> None:
    """Journey 1: the newcomer came from the library, and ends at the library."""
    browser, proof = town.browser(), Proof()
    page = browser.follow(browser.authorize(town.library, "openid", proof))
    path = re.findall(r'href="(/signup\?flow=[^"]+)"', page.text)[0]
    browser.get(path)
    browser.submit("/signup", email=NEW)
    browser.get(links(town)[0])
    answer = browser.follow(browser.submit("/signup/confirm", **TYPED))
    if answer.status_code == 200:
        assert "Your account is open, and you are signed in." in answer.text
        answer = browser.follow(browser.allow())
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200


def test_a_sign_up_that_ends_on_another_device_takes_the_request_along(town: Town) -> None:
    """The mail is read on the telephone: from there it goes on to the library, and the computer has the request no more."""
    computer, telephone, proof = town.browser(), town.browser(), Proof()
    page = computer.follow(computer.authorize(town.library, "openid", proof))
    path = re.findall(r'href="(/signup\?flow=[^"]+)"', page.text)[0]
    computer.get(path)
    computer.submit("/signup", email=NEW)
    telephone.get(links(town)[0])
    answer = telephone.follow(telephone.submit("/signup/confirm", **TYPED))
    if answer.status_code == 200:
        answer = telephone.follow(telephone.allow())
    assert town.redeem(town.library, code_of(answer), proof).status_code == 200
    flow = path.partition("flow=")[2]
    assert computer.get(f"/authorize/continue?flow={flow}").status_code == 400


def test_user_names_are_not_tried_out_without_end(town: Town) -> None:
    """Whoever has a link of their own could ask for name after name; without one the account opens all the same."""
    browser = opened(town)
    page = browser.last
    answers = []
    for _ in range(21):
        browser.last = page
        answers.append(browser.submit("/signup/confirm", **{**TYPED, "username": "Maria"}).status_code)
    assert answers == [409] * 20 + [429]
    browser.last = page
    assert browser.submit("/signup/confirm", **TYPED).status_code == 303


def test_opening_a_link_spends_nothing(town: Town) -> None:
    """Mail scanners open links too."""
    ask(town)
    for _ in range(3):
        assert town.browser().get(links(town)[0]).status_code == 200
    assert [row.spent_at for row in town.rows(SignUpLink)] == [None]


def test_a_link_works_once(town: Town) -> None:
    """The second use, in any browser, finds a link that no longer works, and opens no second account."""
    browser = ask(town)
    (link,) = links(town)
    browser.get(link)
    fields = hidden_fields(browser.last.text, "/signup/confirm")  # type: ignore[union-attr]
    assert browser.post("/signup/confirm", {**fields, **TYPED}).status_code == 303
    assert browser.post("/signup/confirm", {**fields, **TYPED}).status_code == 410
    assert town.browser().get(link).status_code == 410
    assert len(town.rows(Resident)) == 3


def test_of_two_at_once_one_opens_the_account(town: Town) -> None:
    """The link is spent by one conditional write, with the account in one transaction."""
    ask(town)
    (link,) = links(town)
    ready = []
    for _ in range(4):
        browser = town.browser()
        ready.append((browser, hidden_fields(browser.get(link).text, "/signup/confirm")))

    def send(one: tuple[Browser, dict[str, str]]) -> int:
        status = one[0].post("/signup/confirm", {**one[1], **TYPED}).status_code
        town.context.database.fast.close()
        return status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, ready)) == [303, 410, 410, 410]
    assert len(town.rows(Resident)) == 3
    assert len(town.rows(BrowserSession)) == 1


def test_a_link_is_spent_by_one_write(town: Town) -> None:
    """Whatever was read before it: the second caller gets nothing."""
    ask(town)
    token = re.findall(r"token=([\w-]+)", links(town)[0])[0]
    found = []
    for _ in range(2):
        with town.context.database.transaction() as session:
            found.append(spend_link(session, town.context.vault, token, now=int(town.clock())))
    assert [one.email if one else None for one in found] == [NEW, None]


def test_using_one_link_ends_the_older_ones(town: Town) -> None:
    """K22: of several mails only one can open the account."""
    ask(town)
    browser = ask(town)
    old, new = links(town)
    browser.get(new)
    assert browser.submit("/signup/confirm", **TYPED).status_code == 303
    assert town.browser().get(old).status_code == 410


@pytest.mark.parametrize(("after", "status"), [(3598, 200), (3600, 410)])
def test_a_link_works_for_an_hour(town: Town, after: int, status: int) -> None:
    """As its mail says."""
    ask(town)
    town.clock.advance(after - 1)
    assert town.browser().get(links(town)[0]).status_code == status


def test_a_link_is_not_in_the_database(town: Town) -> None:
    """Only its hash is kept, and the address only sealed."""
    ask(town)
    token = re.findall(r"token=([\w-]+)", links(town)[0])[0]
    (row,) = town.rows(SignUpLink)
    kept = b"".join(bytes(value) for value in (row.link_hash, row.email, row.email_index))
    assert token.encode() not in kept
    assert NEW.encode() not in kept


def test_a_link_that_meets_an_account_opens_no_second_one(town: Town) -> None:
    """Somebody at the desk was faster: the page says that the link no longer works, not that a name is taken."""
    browser = opened(town)
    with town.context.database.transaction() as session:
        create_resident(session, town.context.vault, NewResident("en", {}, NEW), now=int(town.clock()))
    assert browser.submit("/signup/confirm", **TYPED).status_code == 410
    assert len(town.rows(Resident)) == 3
    assert town.rows(BrowserSession) == []
    assert [row.spent_at for row in town.rows(SignUpLink)] == [None], "half of the work was kept"


def test_a_taken_user_name_is_said_and_the_link_lives_on(town: Town) -> None:
    """Nothing typed is lost, and another name works at once."""
    browser = opened(town)
    taken = browser.submit("/signup/confirm", **{**TYPED, "username": "Maria"})
    assert taken.status_code == 409
    assert "This user name is taken" in taken.text
    assert 'value="Maria"' in taken.text
    assert browser.submit("/signup/confirm", **{**TYPED, "username": "Noor.B"}).status_code == 303
    with town.context.database.reading() as session:
        names = [
            read_attributes(session, town.context.vault, one).get("preferred_username")
            for one in session.execute(select(Resident)).scalars()
        ]
    assert "noor.b" in names


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("given_name", " ", "Enter your first name"),
        ("given_name", "a\u202eb", "Enter your first name"),
        ("family_name", "x" * 101, "Enter your last name"),
        ("username", "ab", "Use 3 to 40 letters"),
        ("username", "n@or", "Use 3 to 40 letters"),
        ("password", "short", "at least 15 characters"),
        ("password", "x" * 300, "at most 256 characters"),
        ("password", "aaaaaaaaaaaaaaaaaaa", "repeats the same letters"),
        ("password", "noor riverton noor", "made of your name"),
    ],
)
def test_each_mistake_is_said_at_its_field(town: Town, field: str, value: str, words: str) -> None:
    """422 with the form as it was typed, but for the password; nothing is opened or spent."""
    browser = opened(town)
    answer = browser.submit("/signup/confirm", **{**TYPED, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    assert TYPED["password"] not in answer.text
    assert len(town.rows(Resident)) == 2
    assert [row.spent_at for row in town.rows(SignUpLink)] == [None]


def test_a_failure_while_the_account_is_made_leaves_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Link, resident, password, mail and session: all or nothing, and then it can be tried again."""
    browser = opened(town)
    fields = hidden_fields(browser.last.text, "/signup/confirm")  # type: ignore[union-attr]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr("idp.login.sessions.begin", fail)
        assert browser.post("/signup/confirm", {**fields, **TYPED}).status_code == 500
    assert len(town.rows(Resident)) == 2
    assert [row.name for row in town.rows(Message)] == ["confirm_sign_up"]
    assert browser.post("/signup/confirm", {**fields, **TYPED}).status_code == 303
