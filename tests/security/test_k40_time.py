"""K40: time. What ends now has ended; clocks may differ by a minute; a clock that is set back revives nothing.

RFC 8725 §3.10, FAPI 2.0 §5.3.2.1, ASVS 9.2.1. Each thing is made at START and tried at other times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from idp.accounts.models import Resident
from idp.accounts.not_me import not_me_links
from idp.contacts.adding import MAIL_FOR
from idp.login.models import BrowserSession
from idp.login.otp import service as otp
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.oidc.interactions import WAIT_FOR
from idp.recovery.service import STEP_FOR, wait_of
from idp.signup.service import LINK_FOR
from idp.upkeep import clear_over, end_expired_sign_ins
from tests.idp.recovery import steps as recovery
from tests.support.authenticator import Authenticator
from tests.support.passkeys import add_passkey, hand_over, open_sign_in, options
from tests.support.told import told
from tests.support.town import CALLBACK, ISSUER, Proof, code_of, make_town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.town import Town

SCOPE = "openid profile offline_access"
HOUR = 3600
LEEWAY = 60


@dataclass
class Thing:
    """Something that lives for so long from START, and how to try whether it is still good. Trying may spend it."""

    lives_for: int
    is_good: Callable[[], bool]


def _code(town: Town) -> Thing:
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    return Thing(
        town.settings.tokens.code_for, lambda: town.redeem(town.library, code, proof).status_code == 200
    )


def _access_token(town: Town) -> Thing:
    token = town.tokens(town.library, town.maria, SCOPE)["access_token"]
    return Thing(town.settings.tokens.access_for, lambda: town.userinfo(token).status_code == 200)


def _introspected_token(town: Town) -> Thing:
    token = town.tokens(town.library, town.maria, SCOPE)["access_token"]
    return Thing(
        town.settings.tokens.access_for, lambda: bool(town.introspect(town.library, token).json["active"])
    )


def _refresh_token(town: Town) -> Thing:
    token = town.tokens(town.library, town.maria, SCOPE)["refresh_token"]
    return Thing(
        town.settings.tokens.refresh_for, lambda: town.refresh(town.library, token).status_code == 200
    )


def _session(town: Town) -> Thing:
    browser = town.browser()
    browser.sign_in(town.maria)
    return Thing(town.settings.sessions.idle_for, lambda: browser.get("/account").status_code == 200)


def _challenge(town: Town) -> Thing:
    device, owner, browser = Authenticator(), town.browser(), town.browser()
    owner.sign_in(town.maria)
    add_passkey(owner, device)
    fields = open_sign_in(browser)
    answer = device.get(options(browser, "/login/passkey", fields))
    return Thing(300, lambda: hand_over(browser, "/login/passkey", fields, answer).status_code == 303)


def _new_app(town: Town) -> Thing:
    """An app for codes whose first code is waited for."""
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident = session.get_one(Resident, town.maria.resident_id)
        data_key = town.context.vault.open_data_key(resident.data_key)
        app_id = otp.begin(session, data_key, resident.id, "Phone", now=now)
    assert app_id is not None

    def is_good() -> bool:
        with town.context.database.reading() as session:
            at = int(town.clock())
            return otp.pending(session, data_key, town.maria.resident_id, app_id, now=at) is not None

    return Thing(otp.PENDING_FOR, is_good)


def _sign_up_link(town: Town) -> Thing:
    browser = town.browser()
    browser.get("/signup")
    browser.submit("/signup", email="new@example.org")
    (message,) = (row for row in town.rows(Message) if row.name == "confirm_sign_up")
    link = open_message(town.context.vault, message).values["link"].removeprefix(ISSUER)
    return Thing(LINK_FOR, lambda: browser.get(link).status_code == 200)


def _waiting_request(town: Town) -> Thing:
    browser = town.browser()
    answer = browser.authorize(town.library, SCOPE, Proof())
    path = answer.headers["Location"]

    def is_good() -> bool:
        return "/login?flow=" in browser.get(path).headers.get("Location", "")

    return Thing(WAIT_FOR, is_good)


def _recovery(town: Town) -> Thing:
    """A page on which something was proved, and a new password may be set."""
    browser = recovery.ask(town, town.maria.email)
    recovery.type_code(town, browser)
    page = f"{recovery.case_page(browser)}/password"
    return Thing(STEP_FOR, lambda: browser.get(page).status_code == 200)


def _recovery_link(town: Town) -> Thing:
    browser = town.browser()
    recovery.ask(town, town.maria.email)
    link = told(town, "recover")[-1].link
    return Thing(STEP_FOR, lambda: browser.get(link).status_code == 200)


def _recovery_digits(town: Town) -> Thing:
    browser = recovery.ask(town, town.maria.email)
    page, code = recovery.case_page(browser), told(town, "recover")[-1].values["code"]
    browser.get(page)
    return Thing(STEP_FOR, lambda: browser.submit(f"{page}/code", code=code).status_code == 303)


def _helped_recovery(town: Town) -> Thing:
    """The code with which a recovery with somebody's help goes on in another browser."""
    asking, browser = recovery.ask(town, town.maria.email, "helper"), town.browser()
    (code,) = re.findall(r"(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}", asking.get(recovery.case_page(asking)).text)
    browser.get("/recover/return")
    return Thing(
        wait_of(town.settings, "helper"),
        lambda: browser.submit("/recover/return", code=code).status_code == 303,
    )


def _recovery_letter(town: Town) -> Thing:
    recovery.give_address(town, town.maria)
    recovery.ask(town, town.maria.email, "letter")
    code, browser = told(town, "recovery_letter")[-1].values["code"], town.browser()
    browser.get("/recover/letter")
    return Thing(
        town.settings.accounts.letter_code_for,
        lambda: browser.submit("/recover/letter", code=code).status_code == 303,
    )


def _new_contact(town: Town) -> Thing:
    """The link with which a new address is confirmed, in the very browser in which it was given; the code is beside it."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get("/account/contacts/new/email")
    browser.submit("/account/contacts/new/email", value="new@home.example")
    link = told(town, "contact_confirm")[-1].link

    def is_good() -> bool:
        browser.sign_in(town.maria)  # whose session is a shorter one
        return browser.get(link).status_code == 200

    return Thing(MAIL_FOR, is_good)


def _not_me_link(town: Town) -> Thing:
    with town.context.database.transaction() as session:
        now, whose = int(town.clock()), town.maria.resident_id
        (link,) = not_me_links(session, town.settings, whose, [None], now=now)
    path, browser = link.removeprefix(ISSUER), town.browser()
    return Thing(town.settings.accounts.not_me_for, lambda: browser.get(path).status_code == 200)


THINGS = {
    function.__name__[1:]: function
    for function in (
        _code,
        _access_token,
        _introspected_token,
        _refresh_token,
        _session,
        _challenge,
        _new_app,
        _sign_up_link,
        _waiting_request,
        _recovery,
        _recovery_link,
        _recovery_digits,
        _helped_recovery,
        _recovery_letter,
        _new_contact,
        _not_me_link,
    )
}
#: To look at these, or to try them, writes nothing: a job alone ends them.
WRITES_NOTHING = {
    "new_app",
    "sign_up_link",
    "recovery",
    "recovery_link",
    "recovery_digits",
    "helped_recovery",
    "recovery_letter",
    "new_contact",
    "not_me_link",
}


@pytest.fixture(params=THINGS)
def thing(request: pytest.FixtureRequest, town: Town) -> Thing:
    """One of everything that ends by the clock."""
    return THINGS[request.param](town)


def test_it_is_good_until_its_last_second(town: Town, thing: Thing) -> None:
    """The other side of the boundary, so that the next test can fail."""
    town.clock.advance(thing.lives_for - 1)
    assert thing.is_good()


def test_what_ends_now_has_ended(town: Town, thing: Thing) -> None:
    """An `exp` of now is too late (RFC 7519 §4.1.4: on or after)."""
    town.clock.advance(thing.lives_for)
    assert not thing.is_good()


@pytest.mark.parametrize("name", sorted(THINGS.keys() - WRITES_NOTHING))
def test_what_was_seen_to_be_over_stays_over_when_the_clock_is_set_back(town: Town, name: str) -> None:
    """An hour back, into the middle of its life: it was tried too late once, and is dead for good."""
    thing = THINGS[name](town)
    town.clock.advance(thing.lives_for + 1)
    assert not thing.is_good()
    town.clock.advance(-HOUR)
    assert not thing.is_good()


@pytest.mark.parametrize("name", sorted(THINGS.keys() - {"waiting_request"}))  # it opens nothing by itself
def test_what_ended_unseen_stays_over_when_the_clock_is_set_back(town: Town, name: str) -> None:
    """Nobody tried it in time. Upkeep has run, as it does every minute; then the clock goes back an hour."""
    thing = THINGS[name](town)
    town.clock.advance(thing.lives_for + 1)
    end_expired_sign_ins(town.context, now=int(town.clock()))
    town.clock.advance(-HOUR)
    assert not thing.is_good()


@pytest.mark.parametrize("name", ["access_token", "introspected_token", "challenge", "new_app"])
def test_what_ended_a_while_ago_stays_over_when_the_clock_is_set_back(town: Town, name: str) -> None:
    """An hour back, into the middle of a life that was shorter: its end was so long ago, and the upkeep of minutes since."""
    thing = THINGS[name](town)
    assert thing.lives_for < HOUR
    town.clock.advance(HOUR + thing.lives_for // 2)
    for passed in (HOUR // 2, 0):
        end_expired_sign_ins(town.context, now=int(town.clock()) - passed)
        clear_over(town.context, now=int(town.clock()) - passed)
    town.clock.advance(-HOUR)
    assert not thing.is_good()


def test_what_was_spent_stays_spent_when_the_clock_is_set_back(town: Town) -> None:
    """A code and a refresh token, used once; a second use an hour earlier by the clock kills the family all the same."""
    proof = Proof()
    code = town.browser().code(town.library, town.maria, SCOPE, proof)
    tokens = town.redeem(town.library, code, proof).json
    renewed = town.refresh(town.library, tokens["refresh_token"]).json
    town.clock.advance(-HOUR)
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 400
    town.clock.advance(HOUR)
    assert town.refresh(town.library, renewed["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    "name", ["code", "access_token", "introspected_token", "challenge", "waiting_request"]
)
@pytest.mark.parametrize(("behind", "good"), [(LEEWAY - 1, True), (LEEWAY + 1, False)])
def test_nodes_may_differ_by_a_minute_and_no_more(town: Town, name: str, behind: int, good: bool) -> None:
    """Made on a node whose clock is ahead: accepted 59 seconds early, refused 61 seconds early."""
    thing = THINGS[name](town)
    town.clock.advance(-behind)
    assert thing.is_good() is good


def test_a_clock_that_is_behind_logs_nobody_out(town: Town) -> None:
    """F09: sessions of the other nodes are good on a node whose clock is an hour behind, and live no longer for it."""
    thing = _session(town)
    town.clock.advance(-HOUR)
    assert thing.is_good()
    (row,) = town.rows(BrowserSession)
    assert row.seen_at == row.created_at
    town.clock.advance(HOUR + town.settings.sessions.idle_for)
    assert not thing.is_good()


@pytest.mark.parametrize(("later", "asks"), [(-1, False), (0, True)])
def test_an_id_token_as_a_hint_ends_a_session_at_once_only_before_it_expires(
    town: Town, later: int, asks: bool
) -> None:
    """RP-Initiated Logout §2: exp = now is no longer fresh, so the resident is asked first."""
    browser, proof = town.browser(), Proof()
    code = browser.code(town.library, town.maria, SCOPE, proof)
    hint = town.redeem(town.library, code, proof).json["id_token"]
    town.clock.advance(town.settings.tokens.id_token_for + later)
    page = browser.get("/logout", query_string={"id_token_hint": hint})
    assert ('id="logout-confirm"' in page.text) is asks


@pytest.mark.parametrize("max_age", ["4102444800", "NaN", "1e9", "-1", "+1", " 1", "0x10", "1.5", "٣"])
def test_ages_that_are_no_whole_seconds_are_refused(town: Town, max_age: str) -> None:
    """A date in 2100, text, NaN, signs, fractions, other digits: never a guess."""
    answer = town.browser().authorize(town.library, SCOPE, Proof(), max_age=max_age)
    assert answer.headers["Location"].startswith(f"{CALLBACK}?error=invalid_request")


def test_every_node_agrees_on_what_was_seen_to_be_over(
    town: Town, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A session that one node saw idle out is over on a node whose clock is an hour behind."""
    from idp.app import create_app, open_context
    from tests.support.town import Clock

    browser = town.browser()
    browser.sign_in(town.maria)
    slow = Clock(town.clock.at + town.settings.sessions.idle_for - HOUR)
    other = open_context(town.settings, clock=slow)
    request.addfinalizer(other.database.close)
    cookie = browser.http.get_cookie("__Host-denizen-session", domain="id.riverton.example")
    assert cookie is not None
    node: Any = create_app(other).test_client()
    node.set_cookie(cookie.key, cookie.value, domain="id.riverton.example", secure=True)
    assert node.get("/account", base_url=ISSUER).status_code == 200
    town.clock.advance(town.settings.sessions.idle_for + town.settings.sessions.idle_for - HOUR)
    assert browser.get("/account").status_code == 303
    assert node.get("/account", base_url=ISSUER).status_code == 303


def test_nothing_is_made_in_a_town_whose_clock_stands_still_that_ends_at_once(
    database_url: str, tmp_path: Path
) -> None:
    """The shortest lives that settings allow are lives: a code of five seconds is redeemed within them."""
    town = make_town(database_url, tmp_path, tokens={"code_for": 5})
    proof = Proof()
    code = code_of(_agreed(town, proof))
    town.clock.advance(4)
    assert town.redeem(town.library, code, proof).status_code == 200
    town.context.database.close()


def _agreed(town: Town, proof: Proof) -> Any:
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    return browser.authorize(town.library, SCOPE, proof)
