"""K26: guesses are counted on our side, before any is looked at, so that no trick gives more of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from idp.app import create_app, open_context
from idp.login import throttle
from idp.login.models import BrowserSession, Budget
from idp.login.passwords import Passwords
from tests.support.town import Browser, hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Town

OWN, ALL = throttle.PER_NAME_AND_SOURCE.guesses, throttle.PER_SOURCE.guesses


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
    town.clock.advance(throttle.PER_NAME_AND_SOURCE.window_for)
    assert guess(town.browser(), "maria", town.maria.password, source="198.51.100.1") == 303
    assert evaluations.count == OWN + 2


def test_right_passwords_use_up_nothing(town: Town, evaluations: Evaluations) -> None:
    """A town hall where hundreds sign in from one address does not lock itself out."""
    statuses = [guess(town.browser(), "maria", town.maria.password) for _ in range(OWN + 5)]
    assert statuses == [303] * (OWN + 5)
    assert {budget.used for budget in town.rows(Budget)} == {0}


def test_a_budget_row_names_nobody(town: Town, evaluations: Evaluations) -> None:
    """What was typed and where it came from are hashed together."""
    guess(town.browser(), "maria@example.org", source="198.51.100.1")
    kept: Any = repr([(budget.bucket, budget.used) for budget in town.rows(Budget)])
    assert "maria" not in kept
    assert "198.51" not in kept
