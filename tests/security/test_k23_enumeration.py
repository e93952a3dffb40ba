"""K23: from outside, an account that exists cannot be told from one that does not.

The work is counted instead of timed: the same number of password hashes and of statements on every path.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.login.budgets import MAIL_PER_ADDRESS
from idp.login.budgets.rules import PLANS, STRANGERS
from idp.login.passwords import Passwords
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.signup.models import SignUpLink
from tests.support.statements import noted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.test import TestResponse

    from tests.support.town import Town

FROZEN, PENDING, ABSENT = "jun@example.org", "pending@example.org", "absent@example.org"


@pytest.fixture
def accounts(town: Town) -> Town:
    """Maria is active, Jun is frozen, and somebody has asked for a link that was never opened."""
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.jun.resident_id).values(state="frozen"))
    browser = town.browser()
    browser.get("/signup")
    browser.submit("/signup", email=PENDING)
    return town


class Work:
    """What one request did."""

    def __init__(self) -> None:
        self.hashes = 0
        self.statements: list[str] = []

    def same(self) -> tuple[int, list[str]]:
        return self.hashes, self.statements


@contextmanager
def counted(town: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Count Argon2 computations and statements while the block runs."""
    work = Work()
    passwords = town.app.extensions["denizen.login"].passwords
    hasher = passwords._hasher

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(hasher, name)

        def verify(self, *values: Any) -> bool:
            work.hashes += 1
            return hasher.verify(*values)

        def hash(self, *values: Any) -> str:
            work.hashes += 1
            return hasher.hash(*values)

    with monkeypatch.context() as patch, noted(town.context.database) as work.statements:
        patch.setattr(passwords, "_hasher", Counting())
        yield work


def seen(answer: TestResponse, *typed: str) -> tuple[Any, ...]:
    """All that an outsider sees, but for what they typed themselves and tokens of this very page."""
    text = re.sub(r'(name="csrf_token" value=")[0-9a-f]{64}', r"\1…", answer.text)
    for one in typed:
        text = text.replace(one, "…")
    headers = sorted(
        (name, value) for name, value in answer.headers if name not in ("Content-Length", "Set-Cookie")
    )
    cookies = [cookie.partition("=")[0] for cookie in answer.headers.getlist("Set-Cookie")]
    return answer.status_code, headers, cookies, text


def same_length(names: list[str]) -> None:
    """Names of one length, so that Content-Length can be compared as well."""
    assert len({len(name) for name in names}) == 1, names


@pytest.mark.parametrize(
    "password", ["x", "wrong but long enough", "long " * 8000], ids=["one", "some", "40 KB"]
)
def test_signing_in_fails_alike_whoever_is_named(
    accounts: Town, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Existing, absent, frozen, unverified, malformed: same page, same work."""
    names = ["maria@example.org", FROZEN, ABSENT, PENDING, "maria", "nobody", "@@", "ÿ" * 40]
    answers, works = [], []
    for name in names:
        browser = accounts.browser()
        browser.get("/login")
        with counted(accounts, monkeypatch) as work:
            answer = browser.submit("/login", username=name, password=password)
        answers.append(seen(answer, name))
        works.append(work.same())
    assert answers[0][0] == 422
    assert all(one == answers[0] for one in answers), answers
    assert all(one == works[0] for one in works), works
    assert works[0][0] == 1


def test_a_frozen_account_with_the_right_password_looks_like_a_wrong_one(
    accounts: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds the password of a frozen account learns no more than a guesser."""
    answers, works = [], []
    for name, password in (
        (FROZEN, accounts.jun.password),
        (FROZEN, "wrong"),
        (ABSENT, accounts.jun.password),
    ):
        browser = accounts.browser()
        browser.get("/login")
        with counted(accounts, monkeypatch) as work:
            answers.append(seen(browser.submit("/login", username=name, password=password), name))
        works.append(work.same())
    assert answers[0] == answers[1] == answers[2]
    assert works[0] == works[1] == works[2]


def test_an_empty_password_is_not_looked_up_at_all(accounts: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that is not filled in costs nothing and says nothing."""
    for name in ("maria@example.org", ABSENT):
        browser = accounts.browser()
        browser.get("/login")
        with counted(accounts, monkeypatch) as work:
            answer = browser.submit("/login", username=name, password="")
        assert answer.status_code == 422
        assert work.same() == (0, [])


def test_being_throttled_says_nothing_about_the_account(
    accounts: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget belongs to the typed name, whether or not anybody has it."""
    names = ["maria@example.org", FROZEN.ljust(17, "x"), "absnt@example.org"]
    same_length(names)
    outcomes = []
    for name in names:
        browser = accounts.browser()
        browser.http.environ_base["REMOTE_ADDR"] = "192.0.2.77"
        codes = []
        for _ in range((PLANS["password"].each or 0) + 2):
            browser.get("/login")
            with counted(accounts, monkeypatch) as work:
                answer = browser.submit("/login", username=name, password="wrong")
            codes.append((answer.status_code, work.hashes, len(work.statements), len(answer.text)))
        outcomes.append(codes)
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert [code for code, *_ in outcomes[0]][-3:] == [422, 429, 429]


def test_pauses_and_the_end_of_a_budget_say_nothing_about_the_account(
    accounts: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name without an account has consecutive failures, too; the same answers and the same work to the last."""
    monkeypatch.setattr(Passwords, "is_right", lambda *_: False)
    outcomes: dict[str, list[Any]] = {"maria@example.org": [], "absnt@example.org": []}
    same_length([*outcomes])
    for number in range(STRANGERS.cap + 3):
        accounts.clock.advance(1900)
        for name, seen_of in outcomes.items():
            browser = accounts.browser()
            browser.http.environ_base["REMOTE_ADDR"] = f"198.51.{number}.1"
            browser.get("/login")
            with counted(accounts, monkeypatch) as work:
                answer = browser.submit("/login", username=name, password="wrong")
            seen_of.append((seen(answer, name), len(answer.text), work.same()))
    first, second = outcomes.values()
    assert first == second
    assert [one[0][0] for one in first][-1] == 429


def test_a_known_device_says_nothing_about_other_names(
    accounts: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose device it is shows to nobody who does not know the password: other names meet the same work."""
    answers, works = [], []
    for name in ("jun", "zzz"):
        browser = accounts.browser()
        browser.get("/login")
        browser.sign_in(accounts.maria)
        browser.get("/login?again=1")
        with counted(accounts, monkeypatch) as work:
            answer = browser.submit("/login", username=name, password="wrong")
        answers.append(seen(answer, name))
        works.append(work.same())
    assert answers[0] == answers[1]
    assert works[0] == works[1]


def test_a_storm_looks_alike_whoever_is_named(accounts: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is shed is shed before any name is looked up."""
    admission = accounts.app.extensions["denizen.login"].passwords.admission
    monkeypatch.setattr(admission, "_inside", admission.places)
    monkeypatch.setattr(admission, "_come_back", lambda: 3)
    answers = []
    for name in ("maria@example.org", FROZEN, ABSENT, PENDING):
        browser = accounts.browser()
        browser.get("/login")
        with counted(accounts, monkeypatch) as work:
            answers.append(seen(browser.submit("/login", username=name, password="wrong"), name))
        assert work.same() == (0, [])
    assert answers[0][0] == 503
    assert all(one == answers[0] for one in answers)


def test_asking_for_a_link_looks_alike_whoever_is_named(
    accounts: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sign-up and sending again: same page and same writes for taken, frozen, pending and free addresses."""
    names = ["maria@example.org", FROZEN, PENDING, ABSENT]
    answers, works = [], []
    for name in [*names, *names]:  # the second round is "send it again"
        browser = accounts.browser()
        browser.get("/signup")
        with counted(accounts, monkeypatch) as work:
            answer = browser.submit("/signup", email=name)
        answers.append(seen(answer, name))
        works.append(work.same())
    assert answers[0][0] == 200
    assert all(one == answers[0] for one in answers), answers
    assert all(one == works[0] for one in works), works
    assert works[0][0] == 0
    assert len(accounts.rows(SignUpLink)) == len(accounts.rows(Message)) == 1 + 2 * len(names)


def test_asking_too_often_looks_alike_whoever_is_named(accounts: Town) -> None:
    """A mailbox has its budget whether or not it has an account."""
    outcomes = []
    for name in ("maria@example.org", ABSENT):
        browser = accounts.browser()
        codes = []
        for _ in range(MAIL_PER_ADDRESS.guesses + 1):
            browser.get("/signup")
            codes.append(seen(browser.submit("/signup", email=name), name))
        outcomes.append(codes)
    assert outcomes[0] == outcomes[1]
    assert [code for code, *_ in outcomes[0]] == [200, 200, 200, 429]


def test_only_the_mailbox_learns_that_the_account_exists(accounts: Town) -> None:
    """The owner is told by mail; that link opens no second account."""
    browser = accounts.browser()
    for name in ("maria@example.org", ABSENT):
        browser.get("/signup")
        browser.submit("/signup", email=name)
    mails = {m.name: open_message(accounts.context.vault, m) for m in accounts.rows(Message)}
    assert mails["already_signed_up"].to == "maria@example.org"
    assert "/signup/confirm" not in mails["already_signed_up"].values["link"]
    assert "/signup/confirm?token=" in mails["confirm_sign_up"].values["link"]
    # The link written for Maria's address, which nobody was sent, is dead from the start.
    index = accounts.context.vault.blind_index("email", "maria@example.org")
    (dead,) = [link for link in accounts.rows(SignUpLink) if link.email_index == index]
    assert dead.expires_at <= int(accounts.clock())


def test_a_link_that_is_wrong_spent_or_expired_shows_one_page(accounts: Town) -> None:
    """Nothing tells whether a link ever existed."""
    (message,) = accounts.rows(Message)
    mail = open_message(accounts.context.vault, message)
    token = re.findall(r"token=([\w-]+)", mail.values["link"])[0]
    browser = accounts.browser()
    accounts.clock.advance(3601)
    pages = {seen(browser.get(f"/signup/confirm?token={one}"), one)[0::3] for one in (token, "A" * 43, "%00")}
    assert len(pages) == 1
    assert next(iter(pages))[0] == 410


def test_links_carry_the_public_address_whatever_the_request_says(accounts: Town) -> None:
    """K22: Host and its relatives never make it into a mail."""
    client = accounts.app.test_client()
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Forwarded-Proto": "http",
    }
    page = client.get("/signup", headers=headers, base_url="https://evil.example").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post(
        "/signup",
        data={"csrf_token": token, "email": ABSENT},
        headers=headers,
        base_url="https://evil.example",
    )
    texts = [
        open_message(accounts.context.vault, message).values["link"] for message in accounts.rows(Message)
    ]
    assert len(texts) == 2
    for text in texts:
        assert "evil" not in text
        assert "https://id.riverton.example/signup/confirm" in text
