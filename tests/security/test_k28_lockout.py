"""K28: whoever guesses at R1's secrets locks out nobody but themselves. R1 always gets in, and nobody must repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.login.budgets.models import FailureStreak
from idp.login.budgets.rules import OWN_DEVICES, STRANGERS, WINDOW_FOR
from idp.login.devices.models import KnownDevice
from idp.login.devices.service import KEEP_FOR
from idp.login.models import BrowserSession
from idp.login.passwords import Passwords
from tests.support.authenticator import Authenticator, Lie
from tests.support.factors import ask_for_code
from tests.support.passkeys import SIGN_IN, add_passkey, enrol, hand_over, open_sign_in, options
from tests.support.passkeys import sign_in as sign_in_by_passkey

if TYPE_CHECKING:
    from tests.support.town import Browser, Person, Town

ATTACKER, HOME, ELSEWHERE = "198.51.100.66", "192.0.2.1", "203.0.113.5"
DEVICE = "__Host-denizen-device"


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were looked at; looking costs nothing here."""
    seen: list[str] = []

    def is_right(_self: Passwords, kept: str | None, password: str) -> bool:
        seen.append(password)
        return kept is not None and password.endswith("rows a small red boat")

    monkeypatch.setattr(Passwords, "is_right", is_right)
    return seen


def attempt(browser: Browser, name: str, password: str, source: str) -> int:
    """One sign-in by password; the status of its answer."""
    browser.http.environ_base["REMOTE_ADDR"] = source
    browser.get("/login?again=1")
    return browser.submit("/login", username=name, password=password).status_code


def own_device(town: Town, person: Person, source: str = HOME) -> Browser:
    """A browser in which the person signed in before, and signed out again."""
    browser = town.browser()
    assert attempt(browser, person.username, person.password, source) == 303
    browser.get("/logout")
    browser.submit("/logout")
    return browser


def attack(town: Town, times: int, name: str = "maria", source: str = ATTACKER) -> list[int]:
    """So many failures from one source, in one browser."""
    browser = town.browser()
    return [attempt(browser, name, "wrong", source) for _ in range(times)]


def test_after_a_thousand_failures_from_one_source_its_victim_still_enters(
    town: Town, looked_at: list[str]
) -> None:
    """By passkey and from a known device even at the attacker's source, and from anywhere else by password."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    phone = own_device(town, town.maria)
    looked_at.clear()
    statuses = attack(town, 500) + attack(town, 500, name="maria@example.org")
    assert statuses.count(422) == len(looked_at) <= STRANGERS.free
    assert statuses[-1] == 429
    assert attempt(phone, "maria", town.maria.password, ATTACKER) == 303
    by_passkey = town.browser()
    by_passkey.http.environ_base["REMOTE_ADDR"] = ATTACKER
    assert sign_in_by_passkey(by_passkey, device).status_code == 303
    for number in range(80):  # whichever part of the town's count the attacker's failures are in
        assert attempt(town.browser(), "maria", town.maria.password, f"10.{number}.0.1") == 303


def test_the_attacker_stays_throttled_and_then_it_heals_without_an_operator(town: Town) -> None:
    """The window is over, and the source has its guesses again."""
    attack(town, 30)
    assert attempt(town.browser(), "maria", town.maria.password, ATTACKER) == 429
    town.clock.advance(WINDOW_FOR)
    assert attempt(town.browser(), "maria", town.maria.password, ATTACKER) == 303


def use_up(town: Town) -> None:
    """A botnet takes its time: every failure that strangers have, each from its own source."""
    for number in range(STRANGERS.cap):
        town.clock.advance(7200)
        assert attempt(town.browser(), "maria", "wrong", f"10.{number}.0.1") == 422
    town.clock.advance(7200)
    assert attempt(town.browser(), "maria", town.maria.password, ELSEWHERE) == 429


def test_a_botnet_with_patience_ends_the_password_for_strangers_alone(town: Town) -> None:
    """63B-4 §3.2.2 demands an end; the known device and the passkey do not notice, and signing in there heals the rest."""
    device = Authenticator()
    enrol(town.browser(), town.maria, device)
    phone = own_device(town, town.maria)
    use_up(town)
    assert sign_in_by_passkey(town.browser(), device).status_code == 303
    assert attempt(town.browser(), "maria", town.maria.password, ELSEWHERE) == 429, (
        "a passkey heals a passkey"
    )
    assert attempt(phone, "maria", town.maria.password, ELSEWHERE) == 303
    assert attempt(town.browser(), "maria", town.maria.password, ELSEWHERE) == 303
    assert town.rows(FailureStreak) == []


def test_who_fails_with_passkeys_all_day_locks_nobody_out_beside_them(town: Town) -> None:
    """A passkey cannot be guessed, so at the very network of the failures each opens its account, and is added."""
    device, strangers = Authenticator(), Authenticator()
    enrol(town.browser(), town.maria, device)
    enrol(town.browser(), town.jun, strangers)
    stranger = town.browser()
    fields = open_sign_in(stranger)
    wrong = strangers.get(options(stranger, SIGN_IN, fields), lie=Lie(signature=b"wrong"))
    for _ in range(120):
        hand_over(stranger, SIGN_IN, fields, wrong)
    assert sign_in_by_passkey(town.browser(), device).status_code == 303
    newcomer = town.browser()
    assert sign_in_by_passkey(newcomer, device).status_code == 303
    add_passkey(newcomer, Authenticator())


def ask_for_codes(browser: Browser, source: str, times: int) -> list[int]:
    """Ask so often for a code to Maria's mailbox, as the first step of a sign-in."""
    browser.http.environ_base["REMOTE_ADDR"] = source
    answers = []
    for _ in range(times):
        ask_for_code(browser, "maria@example.org")
        answers.append(browser.last.status_code if browser.last else 0)
    return answers


def test_who_asks_for_codes_uses_up_nobody_elses(town: Town) -> None:
    """Neither from elsewhere, nor from the very network of an owner who has signed in on this device before."""
    owner = own_device(town, town.maria)
    for source in (ATTACKER, HOME):
        assert ask_for_codes(town.browser(), source, 6) == [200] * 5 + [429]
    assert ask_for_codes(town.browser(), ELSEWHERE, 1) == [200]
    assert ask_for_codes(owner, HOME, 6) == [200] * 5 + [429]


@pytest.mark.parametrize(("page", "field"), [("/recover", "name"), ("/signup", "email")])
def test_who_asks_for_mail_uses_up_nobody_elses(town: Town, page: str, field: str) -> None:
    """To recover or to sign up: the owner of the address may ask all the same."""

    def ask(source: str, times: int) -> list[int]:
        browser = town.browser()
        browser.http.environ_base["REMOTE_ADDR"] = source
        answers = []
        for _ in range(times):
            browser.get(page)
            answers.append(browser.submit(page, **{field: "maria@example.org"}).status_code)
        return answers

    assert ask(ATTACKER, 4)[-1] == 429
    assert ask(HOME, 1)[0] in (200, 303)


def test_a_known_device_has_few_guesses_too(town: Town, looked_at: list[str]) -> None:
    """Whoever sits at R1's own computer guesses no better than a stranger."""
    phone = own_device(town, town.maria)
    looked_at.clear()
    statuses = []
    for _ in range(3 * OWN_DEVICES.cap):
        town.clock.advance(3600)
        statuses.append(attempt(phone, "maria", "wrong", HOME))
    assert statuses.count(422) == len(looked_at) == OWN_DEVICES.cap
    assert STRANGERS.cap + OWN_DEVICES.cap <= 100


def test_a_device_is_known_to_its_resident_alone(town: Town) -> None:
    """The attacker's own account makes no known device for anybody else's."""
    attackers = own_device(town, town.jun, source=ATTACKER)
    attack(town, 15)
    assert attempt(attackers, "maria", "wrong", ATTACKER) == 429
    assert attempt(attackers, "jun", town.jun.password, ATTACKER) == 303


def test_residents_may_share_a_device(town: Town) -> None:
    """A family computer knows both, and each sign-in gives it a new name for both."""
    shared = own_device(town, town.maria)
    before = device_cookie(shared)
    assert attempt(shared, "jun", town.jun.password, HOME) == 303
    assert device_cookie(shared) != before
    attack(town, 30, source=HOME)
    assert attempt(shared, "maria", town.maria.password, HOME) == 303
    assert {row.resident_id for row in town.rows(KnownDevice)} == {
        town.maria.resident_id,
        town.jun.resident_id,
    }


def device_cookie(browser: Browser) -> str:
    found = browser.http.get_cookie(DEVICE, "id.riverton.example")
    assert found is not None
    return found.value


def test_a_cookie_that_was_copied_or_made_up_is_worth_nothing(town: Town) -> None:
    """The value changes at every sign-in, and one that we did not give is never taken over."""
    phone = own_device(town, town.maria)
    copied = device_cookie(phone)
    assert attempt(phone, "maria", town.maria.password, HOME) == 303
    for value in (copied, "A" * 43, "", "x" * 3000):
        stranger = town.browser()
        stranger.http.set_cookie(DEVICE, value, domain="id.riverton.example", secure=True)
        attack(town, 30, source=ELSEWHERE)
        assert attempt(stranger, "maria", town.maria.password, ELSEWHERE) == 429
    newcomer = town.browser()
    newcomer.http.set_cookie(DEVICE, "A" * 43, domain="id.riverton.example", secure=True)
    assert attempt(newcomer, "jun", town.jun.password, HOME) == 303
    assert device_cookie(newcomer) != "A" * 43


def test_a_device_is_forgotten_after_half_a_year(town: Town) -> None:
    """180 days after the last sign-in there; until then every sign-in begins them anew."""
    phone = own_device(town, town.maria)
    town.clock.advance(KEEP_FOR - 10)
    assert attempt(phone, "maria", town.maria.password, HOME) == 303
    town.clock.advance(KEEP_FOR - 10)
    attack(town, 30)
    assert attempt(phone, "maria", town.maria.password, ATTACKER) == 303
    town.clock.advance(KEEP_FOR + 10)
    attack(town, 30)
    assert attempt(phone, "maria", town.maria.password, ATTACKER) == 429


def test_the_cookie_is_host_only_secret_and_hashed(town: Town) -> None:
    """It says nothing about anybody, and the database could not give it away."""
    phone = own_device(town, town.maria)
    assert attempt(phone, "maria", town.maria.password, HOME) == 303
    assert phone.last is not None
    (line,) = [one for one in phone.last.headers.getlist("Set-Cookie") if one.startswith(DEVICE)]
    parts = line.split("; ")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={KEEP_FOR}"} <= set(parts)
    (row,) = town.rows(KnownDevice)
    assert device_cookie(phone).encode() not in row.device_hash
    assert len(row.device_hash) == 32


def test_a_device_can_be_removed_by_its_resident_alone(town: Town) -> None:
    """K34: nobody forgets another's device; a forgotten one is a stranger's."""
    from idp.login import devices

    phone = own_device(town, town.maria)
    with town.context.database.transaction() as session:
        (listed,) = devices.listed(session, town.maria.resident_id, now=int(town.clock()))
        assert not devices.forget(session, town.jun.resident_id, listed.id)
        assert devices.forget(session, town.maria.resident_id, listed.id)
    attack(town, 30)
    assert attempt(phone, "maria", town.maria.password, ATTACKER) == 429


def test_browsers_without_cookies_do_not_fill_the_table(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a resident's devices only the latest are kept."""
    monkeypatch.setattr("idp.login.devices.service.MOST", 3)
    for _ in range(5):
        town.clock.advance(1)
        own_device(town, town.maria)
    assert len(town.rows(KnownDevice)) == 3
    assert {row.seen_at for row in town.rows(KnownDevice)} == {int(town.clock()) - back for back in range(3)}


def test_nobody_takes_another_s_address_for_a_user_name(town: Town) -> None:
    """An account named like R1's e-mail address would share, or take over, what belongs to R1's name."""
    from idp.accounts.rules import normal_username

    assert normal_username(town.maria.email) is None
    attack(town, 30, name="jun", source=HOME)
    assert attempt(town.browser(), "maria", town.maria.password, HOME) == 303
    assert len(town.rows(BrowserSession)) == 1
