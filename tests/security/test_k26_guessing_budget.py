"""K26: guesses are counted on our side, before any is looked at, so that no trick gives more of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from idp.app import create_app, open_context
from idp.login.budgets import Guess, spend
from idp.login.budgets.models import Budget, FailureStreak
from idp.login.budgets.rules import PLANS, STRANGERS, WINDOW_FOR
from idp.login.models import BrowserSession
from idp.login.passwords import Passwords
from idp.settings.throttle import ThrottleSettings
from tests.support.factors import after_password, shown, with_app
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.town import ISSUER, STAFF, Browser, hidden_fields, make_town

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town

#: However slow the machine is, a guess that is let in is looked at.
NEVER_SHED = {"longest_wait": 30, "hashes": 2}
OWN, ALL = PLANS["password"].each or 0, ThrottleSettings().per_source


class Evaluations:
    """How many passwords were looked at, and an answer to each that costs nothing."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0

    def __call__(self, _kept: str | None, password: str) -> bool:
        with self.lock:
            self.count += 1
        return password.endswith("rows a small red boat")


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Evaluations:
    found = Evaluations()
    monkeypatch.setattr(Passwords, "is_right", found)
    return found


def guess(browser: Browser, name: str, password: str = "wrong", source: str = "192.0.2.1") -> int:
    """One guess from a source; the status of the answer."""
    browser.http.environ_base["REMOTE_ADDR"] = source
    browser.get("/login")
    return browser.submit("/login", username=name, password=password).status_code


def test_parallel_guesses_cannot_share_a_budget(town: Town, evaluations: Evaluations) -> None:
    """CVE-2024-4629: each guess is counted and committed before its password is looked at."""
    ready = []
    for _ in range(4 * OWN):
        browser = town.browser()
        browser.get("/login")
        ready.append((browser, hidden_fields(browser.last.text, "/login")))  # type: ignore[union-attr]

    def send(one: tuple[Browser, dict[str, str]]) -> int:
        browser, fields = one
        form = {**fields, "username": "maria", "password": "wrong"}
        status = browser.post("/login", form).status_code
        town.context.database.fast.close()
        return status

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, ready))
    assert sorted(statuses) == [422] * OWN + [429] * 3 * OWN
    assert evaluations.count == OWN


def test_a_fresh_or_a_saved_browser_has_no_more_guesses(town: Town, evaluations: Evaluations) -> None:
    """The budget is no cookie: neither throwing it away nor replaying an old one helps."""
    saved = town.browser()
    statuses = [guess(saved if number % 2 else town.browser(), "maria") for number in range(OWN + 4)]
    assert statuses == [422] * OWN + [429] * 4
    assert evaluations.count == OWN


def test_the_right_password_is_not_looked_at_once_the_budget_is_gone(
    town: Town, evaluations: Evaluations
) -> None:
    """Otherwise the throttle would only slow down a guesser's wrong answers."""
    browser = town.browser()
    for _ in range(OWN):
        guess(browser, "maria")
    assert guess(browser, "maria", town.maria.password) == 429
    assert evaluations.count == OWN
    assert town.rows(BrowserSession) == []


def test_spellings_of_a_name_share_its_budget(town: Town, evaluations: Evaluations) -> None:
    """Case and space are no new name."""
    spellings = ["maria@example.org", "MARIA@example.org", " maria@example.org ", "Maria@Example.Org\u00a0"]
    statuses = [guess(town.browser(), spellings[number % 4]) for number in range(OWN + 4)]
    assert statuses == [422] * OWN + [429] * 4
    assert evaluations.count == OWN


def test_a_source_has_one_budget_for_all_names(town: Town, evaluations: Evaluations) -> None:
    """Spraying one password over many names ends at the source's limit."""
    browser = town.browser()
    statuses = [guess(browser, f"resident{number}") for number in range(ALL + 5)]
    assert statuses == [422] * ALL + [429] * 5
    assert evaluations.count == ALL


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP"])
def test_a_source_cannot_name_itself(town: Town, evaluations: Evaluations, header: str) -> None:
    """Only a proxy that the settings trust may say where a request comes from."""
    statuses = []
    for number in range(OWN + 2):
        browser = town.browser()
        browser.get("/login")
        fields = {**hidden_fields(browser.last.text, "/login"), "username": "maria", "password": "wrong"}  # type: ignore[union-attr]
        sent = f"for=198.51.100.{number}" if header == "Forwarded" else f"198.51.100.{number}"
        statuses.append(browser.post("/login", fields, headers={header: sent}).status_code)
    assert statuses == [422] * OWN + [429] * 2
    assert evaluations.count == OWN


def test_addresses_of_one_ipv6_network_are_one_source(town: Town, evaluations: Evaluations) -> None:
    """Whoever has one IPv6 address has 2^64 of them."""
    statuses = [
        guess(town.browser(), "maria", source=f"2001:db8:1:2:{number:x}::{number:x}")
        for number in range(OWN + 2)
    ]
    assert statuses == [422] * OWN + [429] * 2
    assert guess(town.browser(), "maria", source="2001:db8:1:3::1") == 422
    assert evaluations.count == OWN + 1


def test_two_nodes_share_one_budget(
    town: Town, evaluations: Evaluations, request: pytest.FixtureRequest
) -> None:
    """The count stands in the database, so a second node gives no second budget."""
    other = open_context(town.settings, clock=town.clock)
    request.addfinalizer(other.database.close)
    second = create_app(other)
    statuses = []
    for number in range(OWN + 4):
        browser = town.browser()
        if number % 2:
            browser.http = second.test_client()
        statuses.append(guess(browser, "maria"))
    assert statuses == [422] * OWN + [429] * 4
    assert evaluations.count == OWN


def test_a_budget_heals_by_itself_and_only_where_it_was_spent(town: Town, evaluations: Evaluations) -> None:
    """An attacker locks out their own source; Maria's own home never notices, and nobody must repair it."""
    for _ in range(OWN + 1):
        guess(town.browser(), "maria", source="198.51.100.1")
    assert guess(town.browser(), "maria", town.maria.password, source="192.0.2.1") == 303
    assert guess(town.browser(), "maria", town.maria.password, source="198.51.100.1") == 429
    town.clock.advance(WINDOW_FOR)
    assert guess(town.browser(), "maria", town.maria.password, source="198.51.100.1") == 303
    assert evaluations.count == OWN + 2


def test_right_passwords_use_up_nothing(town: Town, evaluations: Evaluations) -> None:
    """A town hall where hundreds sign in from one address does not lock itself out."""
    statuses = [guess(town.browser(), "maria", town.maria.password) for _ in range(OWN + 5)]
    assert statuses == [303] * (OWN + 5)
    assert {budget.used for budget in town.rows(Budget)} == {0}
    assert town.rows(FailureStreak) == []


def test_a_budget_row_names_nobody(town: Town, evaluations: Evaluations) -> None:
    """What was typed and where it came from are hashed together."""
    guess(town.browser(), "maria@example.org", source="198.51.100.1")
    kept: Any = repr([(budget.bucket, budget.used) for budget in town.rows(Budget)])
    assert "maria" not in kept
    assert "198.51" not in kept


# --- two processes, as many sources as anybody likes, and all the time in the world ---


def login_request(town: Town, browser: Browser, source: str, **typed: str) -> Request:
    """The form of a page that this browser has open, as a node of a town behind a proxy receives it."""
    assert browser.last is not None
    fields = hidden_fields(browser.last.text, "/login")
    cookie = browser.http.get_cookie("__Host-denizen-browser", "id.riverton.example")
    assert cookie is not None
    headers = {"Cookie": f"{cookie.key}={cookie.value}", "X-Forwarded-For": source}
    return Request("/login", {**fields, **typed}, headers)


def test_two_hundred_parallel_passwords_on_two_nodes_are_ten_guesses(
    database_url: str, tmp_path: Path
) -> None:
    """CVE-2024-4629: ten callers at once in two processes, twenty times; a node has no budget of its own."""
    town = make_town(database_url, tmp_path, throttle=NEVER_SHED)
    browser = town.browser()
    browser.get("/login")
    statuses: list[int] = []
    with two_nodes(town) as nodes:
        for _ in range(200 // (NODES * THREADS)):
            request = login_request(town, browser, "192.0.2.1", username="maria", password="wrong")
            statuses += [reply.status for reply in nodes.all_at_once(request, int(town.clock()))]
    town.context.database.close()
    assert len(statuses) == 200
    assert sorted(statuses) == [422] * OWN + [429] * (200 - OWN)


def test_no_more_than_a_hundred_guesses_ever_whatever_the_sources_and_the_time(
    database_url: str, tmp_path: Path
) -> None:
    """NIST SP 800-63B-4 §3.2.2: 200 parallel guesses from twenty sources, a window apart, end at the lifetime cap."""
    town = make_town(
        database_url,
        tmp_path,
        server={"issuer": ISSUER, "staff_url": STAFF, "trusted_proxies": ("127.0.0.1",)},
        throttle=NEVER_SHED,
    )
    browser = town.browser()
    browser.get("/login")
    evaluated = 0
    with two_nodes(town) as nodes:
        for number in range(20):
            town.clock.advance(7200)
            source = f"198.51.100.{number}"
            request = login_request(town, browser, source, username="maria", password="wrong")
            replies = nodes.all_at_once(request, int(town.clock()))
            assert {reply.status for reply in replies} <= {422, 429}
            evaluated += sum(reply.status == 422 for reply in replies)
    assert evaluated <= STRANGERS.cap
    assert evaluated >= STRANGERS.free
    (streak,) = town.rows(FailureStreak)
    assert streak.failures == evaluated
    town.context.database.close()


def test_every_authenticator_ends_at_a_hundred_failures(town: Town, evaluations: Evaluations) -> None:
    """One name, all its spellings and aliases, from everywhere, for a year: one authenticator, one count."""
    names = ["maria", "maria@example.org", "MARIA"]
    for number in range(110):
        town.clock.advance(7200)
        guess(town.browser(), names[number % 3], source=f"198.51.{number}.1")
    assert evaluations.count == STRANGERS.cap <= 100
    assert guess(town.browser(), "maria", town.maria.password, source="203.0.113.1") == 429
    assert guess(town.browser(), "jun", town.jun.password, source="203.0.113.1") == 303


def code_request(browser: Browser, code: str, source: str) -> Request:
    """The form of the page that asks for an app's code, as a node of a town behind a proxy receives it."""
    assert browser.last is not None
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())
    fields = {**hidden_fields(browser.last.text, "/login/totp"), "code": code}
    return Request("/login/totp", fields, {"Cookie": cookies, "X-Forwarded-For": source})


def test_two_hundred_parallel_wrong_codes_are_bounded_per_source_and_for_life(
    database_url: str, tmp_path: Path
) -> None:
    """Whoever knows the password tries codes from twenty sources, ten callers at once in two processes."""
    town = make_town(
        database_url,
        tmp_path,
        server={"issuer": ISSUER, "staff_url": STAFF, "trusted_proxies": ("127.0.0.1",)},
        throttle=NEVER_SHED,
    )
    secret = with_app(town, town.maria)
    wrong = "000000" if shown(town, secret) != "000000" else "000001"
    thief = town.browser()
    assert after_password(thief, town.maria).request.path == "/login/totp"
    looked_at: list[int] = []
    with two_nodes(town) as nodes:
        for number in range(20):
            town.clock.advance(100)  # the sign-in under way ends after an hour
            request = code_request(thief, wrong, f"198.51.100.{number}")
            replies = nodes.all_at_once(request, int(town.clock()))
            assert {reply.status for reply in replies} <= {422, 429}
            looked_at.append(sum(reply.status == 422 for reply in replies))
    assert max(looked_at) <= OWN
    assert STRANGERS.free <= sum(looked_at) <= STRANGERS.cap <= 100
    (streak,) = [row for row in town.rows(FailureStreak) if row.bucket.startswith("totp:")]
    assert streak.failures == sum(looked_at)
    town.context.database.close()


def test_a_resident_s_codes_share_one_budget_at_sign_in_and_recovery(town: Town) -> None:
    """K26: alternating between the doors that a code opens gives no more guesses."""
    doors = {"/login/totp": "198.51.100.1", "recovery": "198.51.100.2"}
    guesses = [Guess("totp", town.maria.resident_id, town.maria.resident_id, net) for net in doors.values()]
    passed = 0
    for number in range(300):
        town.clock.advance(7200)
        passed += bool(spend(town.context, guesses[number % 2], now=int(town.clock())))
    assert passed == STRANGERS.cap
