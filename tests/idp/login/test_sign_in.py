"""Signing in: passwords, what a new one may be, devices, and where it leads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.login.models import BrowserSession, Password
from idp.login.passwords import Passwords
from idp.login.rules import around, device_name, is_alive, is_own_path, network_of, password_problem
from idp.settings import PasswordSettings
from tests.support.town import Proof, answer_parameters

if TYPE_CHECKING:
    from tests.support.town import Town

PEPPER = b"p" * 32
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0"


def test_the_right_password_signs_in_by_address_and_by_name(town: Town) -> None:
    """One page, one form, two names for one account."""
    for name in (town.maria.username, town.maria.email):
        browser = town.browser()
        browser.get("/login")
        answer = browser.submit("/login", username=name, password=town.maria.password)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
        assert "Maria Okafor" in browser.follow().text


@pytest.mark.parametrize("state", ["frozen", "closed"])
def test_an_account_that_is_not_active_neither_enters_nor_stays(town: Town, state: str) -> None:
    """Freezing bites at once: open sessions are dead with it."""
    browser = town.browser()
    browser.sign_in(town.maria)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state=state))
    assert browser.get("/account").status_code == 303
    assert town.browser().sign_in(town.maria).status_code == 422


def test_what_is_missing_is_said_and_nothing_typed_is_lost(town: Town) -> None:
    """The name stays in the form, the password never does."""
    browser = town.browser()
    browser.get("/login")
    empty = browser.submit("/login", username=" ", password="")
    assert empty.status_code == 422
    assert "Enter your e-mail address or user name" in empty.text
    assert "Enter your password" in empty.text
    wrong = browser.submit("/login", username="maria", password="a wrong password")
    assert 'value="maria"' in wrong.text
    assert "a wrong password" not in wrong.text
    assert "<title>Error:" in wrong.text


def test_turning_back_tells_the_partner(town: Town) -> None:
    """OIDC Core §3.1.2.6: access_denied, once; without a request it leads home."""
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    answer = browser.submit("/login", cancel="1")
    assert answer_parameters(answer)["error"] == "access_denied"
    browser.get("/login")
    assert browser.submit("/login", cancel="1").headers["Location"] == "/"


def test_a_page_that_needs_a_resident_comes_back_to_itself(town: Town) -> None:
    """Whoever opens a page signs in and is where they wanted to be; from a form, on the page it stood on."""
    browser = town.browser()
    for path, after in (("/privacy/history", "/privacy/history"), ("/account", "/account")):
        browser.http.delete_cookie("__Host-denizen-session", domain="id.riverton.example")
        browser.follow(browser.get(path))
        assert (
            browser.submit("/login", username="maria", password=town.maria.password).headers["Location"]
            == after
        )
    token = browser.get("/signup").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    for path, after in (
        ("/account/devices/x/end", "/account"),
        ("/privacy/services/library/withdraw", "/privacy"),
    ):
        browser.http.delete_cookie("__Host-denizen-session", domain="id.riverton.example")
        browser.follow(browser.post(path, {"csrf_token": token}))
        answer = browser.submit("/login", username="maria", password=town.maria.password)
        assert answer.headers["Location"] == after
        assert browser.follow(answer).status_code == 200


def test_a_password_made_with_weaker_parameters_is_made_anew_at_the_next_sign_in(town: Town) -> None:
    """Raising the cost reaches every resident who comes by; a wrong guess changes nothing."""
    stronger = PasswordSettings(iterations=3)
    passwords = Passwords(stronger, town.context.vault.subkey("password-pepper"))
    town.app.extensions["denizen.login"] = replace(town.app.extensions["denizen.login"], passwords=passwords)

    def kept() -> str:
        return next(row.hash for row in town.rows(Password) if row.resident_id == town.maria.resident_id)

    before = kept()
    browser = town.browser()
    browser.get("/login")
    browser.submit("/login", username="maria", password="wrong")
    assert kept() == before
    assert town.browser().sign_in(town.maria).status_code == 303
    assert argon2.extract_parameters(kept()).time_cost == 3
    assert town.browser().sign_in(town.maria).status_code == 303


def test_a_stolen_database_alone_checks_no_password() -> None:
    """NIST SP 800-63B-4 §3.1.1.2: the hash is keyed outside the database, salted, and Argon2id at our cost."""
    passwords = Passwords(PasswordSettings(), PEPPER)
    kept = passwords.hash("right horse")
    assert passwords.is_right(kept, "right horse")
    assert not passwords.is_right(kept, "wrong horse")
    assert not Passwords(PasswordSettings(), b"q" * 32).is_right(kept, "right horse")
    assert kept != passwords.hash("right horse")
    parameters = argon2.extract_parameters(kept)
    assert (parameters.type, parameters.memory_cost, parameters.time_cost) == (argon2.Type.ID, 19_456, 2)


def test_no_password_fits_an_absent_account_at_the_same_cost() -> None:
    """K23: the stand-in has today's parameters and nobody's password; damaged hashes fit nothing either."""
    passwords = Passwords(PasswordSettings(), PEPPER)
    for password in ("nobody", "", "x" * 256):
        assert not passwords.is_right(None, password)
    stand_in, real = (
        argon2.extract_parameters(passwords._nobody),
        argon2.extract_parameters(passwords.hash("x")),
    )
    assert stand_in == real
    assert not passwords.is_right("no hash at all", "x")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_judged_as_a_password(password: str, word: str) -> None:
    """Whatever is typed, the answer is a reason or none."""
    found = password_problem(password, minimum=15, context_words=[word, "Riverton"])
    assert found in (None, "too_short", "too_long", "too_simple", "context")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("eleven grey herons", None),
        ("correct horse battery staple", None),
        ("14 Zeichen kurz", None),
        ("мороз и солнце день", None),
        ("short", "too_short"),
        ("x" * 257, "too_long"),
        ("a" * 40, "too_simple"),
        ("abcabcabcabcabcabc", "too_simple"),
        ("123456789012345678", "too_simple"),
        ("987654321098765432", "too_simple"),
        ("135791357913579", "too_simple"),
        ("314159265358979", None),
        ("abcdefghijklmnopq", "too_simple"),
        ("maria okafor riverton", "context"),
        ("RivertonRiverton1", "context"),
        ("riverton-maria-2026", "context"),
    ],
)
def test_what_a_new_password_may_be(password: str, problem: str | None) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: length and a list of what is expected; no rules about kinds of letters."""
    words = ["Riverton", "maria", "okafor", "example.org"]
    assert password_problem(password, minimum=15, context_words=words) == problem


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/142.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15) Chrome/142 Safari/537 Edg/142", "Edge, Mac"),
        ('"><svg onload=alert(1)>', "?"),
        ("", "?"),
    ],
)
def test_a_device_is_called_by_two_known_words(agent: str, name: str) -> None:
    """Nothing else of the header is kept."""
    assert device_name(agent) == name


def test_the_device_of_a_session_is_kept_in_few_words(town: Town) -> None:
    """What the resident will recognise on the account page."""
    browser = town.browser()
    browser.get("/login")
    fields = {"username": "maria", "password": town.maria.password}
    from tests.support.town import hidden_fields

    page = browser.get("/login").text
    browser.post("/login", {**hidden_fields(page, "/login"), **fields}, headers={"User-Agent": FIREFOX})
    assert [row.device for row in town.rows(BrowserSession)] == ["Firefox, Windows"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0db8:0001:0002::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_one_subscriber_is_one_network(address: str, network: str) -> None:
    """Guesses are counted by what one subscriber has: an IPv4 address, or a whole IPv6 /64."""
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("2001:db8:2::", "2001:db8:2::/48"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix:/64", "unix:/64"),
        ("", ""),
    ],
)
def test_one_customer_may_have_a_whole_48(address: str, network: str) -> None:
    """RFC 6177: 65,536 sources, which have an allowance together."""
    assert around(network_of(address)) == network


def test_a_session_is_alive_strictly_within_its_limits() -> None:
    """Both ends excluded: what ends now has ended."""
    for now, alive in ((99, True), (100, False)):
        assert is_alive(seen_at=0, expires_at=1000, idle_for=100, now=now) is alive
        assert is_alive(seen_at=now, expires_at=100, idle_for=100, now=now) is alive


@given(st.text(max_size=40))
def test_a_path_of_our_own_begins_with_one_of_our_pages(path: str) -> None:
    """Whatever is put into `next`, only pages of ours pass."""
    if is_own_path(path):
        assert path.startswith(("/privacy", "/account"))
        assert "//" not in path
        assert not set(path) & set("\\?#:\r\n\t ")
