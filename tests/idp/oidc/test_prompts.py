"""When a resident is asked, and when not: prompt, max_age, and what is on file (OIDC Core §3.1.2.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from sqlalchemy import update

from consent.models import Record
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.oidc.subjects import subject_for
from tests.support.settled import assert_refused_back
from tests.support.town import START, Clock, Proof, answer_parameters, choices, code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Partner, Town

SCOPE = "openid profile email"


@pytest.fixture
def known(town_both_ways: Town) -> tuple[Town, Browser]:
    """Maria, signed in and agreed with the library, a minute ago."""
    browser = town_both_ways.browser()
    browser.code(town_both_ways.library, town_both_ways.maria, SCOPE, Proof())
    town_both_ways.clock.advance(60)
    return town_both_ways, browser


def _shows(browser: Browser, answer: TestResponse) -> str:
    """Which page the resident sees, or that there is none."""
    text = browser.follow(answer).text
    return next((path for path in ("/login", "/consent") if f'action="{path}"' in text), "none")


def _claims(town: Town, partner: Partner, code: str, proof: Proof) -> dict[str, Any]:
    answer = town.redeem(partner, code, proof)
    assert answer.status_code == 200, answer.text
    ring = town.app.extensions["denizen.oidc"].keys.ring
    return dict(jwt.decode(answer.json["id_token"], ring.verify_keys, algorithms=["ES256", "RS256"]).claims)


def test_who_is_known_and_has_agreed_is_sent_back_at_once(known: tuple[Town, Browser]) -> None:
    """Journey 1: no page in between, silently or not; auth_time stays that of the sign-in."""
    town, browser = known
    for extra in ({}, {"prompt": "none"}, {"max_age": "60"}, {"prompt": "none", "max_age": "60"}):
        proof = Proof()
        code = code_of(browser.authorize(town.library, SCOPE, proof, **extra))
        assert _claims(town, town.library, code, proof)["auth_time"] == START


def test_prompt_none_never_shows_a_page(known: tuple[Town, Browser]) -> None:
    """OIDC Core §3.1.2.6: the client learns which page would have been needed."""
    town, browser = known
    fresh = town.browser()
    assert_refused_back(fresh.authorize(town.library, SCOPE, Proof(), prompt="none"), "login_required")
    for change in ({"max_age": "59"}, {"max_age": "0"}):
        answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none", **change)
        assert_refused_back(answer, "login_required")
    answer = browser.authorize(town.tax, "openid email", Proof(), prompt="none")
    assert_refused_back(answer, "consent_required")
    answer = browser.authorize(town.library, f"{SCOPE} residence", Proof(), prompt="none")
    assert_refused_back(answer, "consent_required")


@pytest.mark.parametrize(
    "extra",
    [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "59"}, {"max_age": "0"}],
    ids=str,
)
def test_a_fresh_sign_in_is_asked_for_once_and_shows_in_the_id_token(
    known: tuple[Town, Browser], extra: dict[str, str]
) -> None:
    """OIDC Core §3.1.2.1: MUST reauthenticate; auth_time is the new instant, and the code comes right after."""
    town, browser = known
    proof = Proof()
    assert _shows(browser, browser.authorize(town.library, SCOPE, proof, **extra)) == "/login"
    code = code_of(browser.follow(browser.sign_in(town.maria)))
    assert _claims(town, town.library, code, proof)["auth_time"] == START + 60


@pytest.mark.parametrize("times", [1, 2])
def test_a_code_outlasts_a_fresh_sign_in_in_another_tab(known: tuple[Town, Browser], times: int) -> None:
    """Partners see the session go on (decision 0022): what was given in it is good, and says of which sign-in it is."""
    town, browser = known
    proof = Proof()
    code = code_of(browser.authorize(town.library, SCOPE, proof))
    for _ in range(times):
        town.clock.advance(1)
        browser.code(town.tax, town.maria, "openid email", Proof(), prompt="login")
    assert _claims(town, town.library, code, proof)["auth_time"] == START
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant", "it is spent all the same"


def _signs_out(town: Town, browser: Browser) -> None:
    browser.code(town.tax, town.maria, "openid email", Proof(), prompt="login")
    browser.get("/logout")
    browser.submit("/logout")


def _signs_out_and_in(town: Town, browser: Browser) -> None:
    _signs_out(town, browser)
    browser.get("/login")
    browser.sign_in(town.maria)


def _makes_way_for_another(town: Town, browser: Browser) -> None:
    browser.get("/login?again=1")
    browser.sign_in(town.jun)


def _signs_in_elsewhere(town: Town, browser: Browser) -> None:
    town.browser().sign_in(town.maria)
    browser.get("/logout")
    browser.submit("/logout")


@pytest.mark.parametrize(
    "leave",
    [_signs_out, _signs_out_and_in, _makes_way_for_another, _signs_in_elsewhere],
    ids=lambda one: one.__name__,
)
def test_a_code_outlasts_no_end_of_its_session(
    known: tuple[Town, Browser], leave: Callable[[Town, Browser], None]
) -> None:
    """However often its resident had signed in again before, whoever is here now, and wherever else they are."""
    town, browser = known
    proof = Proof()
    code = browser.code(town.library, town.maria, f"{SCOPE} offline_access", proof)
    leave(town, browser)
    assert town.redeem(town.library, code, proof).json["error"] == "invalid_grant"


def test_opening_the_next_page_by_hand_does_not_skip_the_sign_in(known: tuple[Town, Browser]) -> None:
    """`prompt=login` is a rule, not a suggestion: the session from before leads no further than /login."""
    town, browser = known
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="login")
    handle = answer.headers["Location"].partition("flow=")[2]
    for path in ("/authorize/continue", "/consent"):
        assert _shows(browser, browser.get(f"{path}?flow={handle}")) == "/login"
    # and a sign-in for nothing in particular, in another tab, is not one for this request
    browser.get("/login")
    browser.sign_in(town.maria)
    assert _shows(browser, browser.get(f"/authorize/continue?flow={handle}")) == "/login"


class TickingClock(Clock):
    """A second passes whenever somebody looks."""

    def __call__(self) -> float:
        self.at += 1
        return self.at


def test_a_second_that_passes_while_the_password_is_checked_costs_no_second_sign_in(town: Town) -> None:
    """Checking a password takes time; the request must know this sign-in as its own whatever the clock says."""
    browser = town.browser()
    browser.code(town.library, town.maria, SCOPE, Proof())
    object.__setattr__(town.context, "clock", TickingClock(town.clock.at))
    assert _shows(browser, browser.authorize(town.library, SCOPE, Proof(), prompt="login")) == "/login"
    code_of(browser.follow(browser.sign_in(town.maria)))


def test_prompt_consent_asks_again_what_was_answered(known: tuple[Town, Browser]) -> None:
    """OIDC Core §3.1.2.1: without a new sign-in; what is not ticked this time is not released any more."""
    town, browser = known
    proof = Proof()
    answer = browser.authorize(town.library, SCOPE, proof, prompt="consent")
    assert _shows(browser, answer) == "/consent"
    assert browser.last is not None
    assert choices(browser.last.text) == ["email"]
    code = code_of(browser.allow(share=[]))
    answer = town.redeem(town.library, code, proof)
    assert "email" not in town.userinfo(answer.json["access_token"]).json


def test_prompt_login_and_consent_asks_both(known: tuple[Town, Browser]) -> None:
    """Values may be combined, in any order."""
    town, browser = known
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="consent login")
    assert _shows(browser, answer) == "/login"
    assert _shows(browser, browser.sign_in(town.maria)) == "/consent"
    assert code_of(browser.allow())


def test_another_resident_at_the_same_browser_is_asked_for_themselves(known: tuple[Town, Browser]) -> None:
    """What Maria agreed to says nothing about Jun; the ID token is about who signed in."""
    town, browser = known
    mine = _subject(town, browser)
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), prompt="select_account"))
    assert _shows(browser, browser.sign_in(town.jun)) == "/consent"
    browser.allow()
    assert _subject(town, browser) != mine


def _subject(town: Town, browser: Browser, **extra: str) -> str:
    proof = Proof()
    code = code_of(browser.authorize(town.library, SCOPE, proof, **extra))
    return str(_claims(town, town.library, code, proof)["sub"])


def test_a_hint_about_somebody_else_is_never_answered_silently(town: Town) -> None:
    """OIDC Core §3.1.2.1: if the resident of the hint is not signed in, the answer MUST be an error."""
    hint = town.tokens(town.library, town.jun, "openid profile")["id_token"]
    browser = town.browser()
    browser.code(town.library, town.maria, "openid profile", Proof())
    answer = browser.authorize(town.library, "openid profile", Proof(), prompt="none", id_token_hint=hint)
    assert_refused_back(answer, "login_required")


def test_a_hint_names_whom_the_client_knows_even_after_its_sector_has_changed(
    known: tuple[Town, Browser],
) -> None:
    """OIDC Core §3.1.2.1, §5.5.1: the sub of the tokens that it has is the one that it gets; the new one means nobody yet."""
    town, browser = known
    proof = Proof()
    tokens = town.redeem(town.library, code_of(browser.authorize(town.library, SCOPE, proof)), proof).json
    with town.context.database.transaction() as session:
        moved = update(ClientRow).where(ClientRow.client_id == town.library.client_id)
        session.execute(moved.values(sector="elsewhere.example"))
        bump(session, CLIENTS)
    town.fresh()
    sub = town.userinfo(tokens["access_token"]).json["sub"]
    named = json.dumps({"id_token": {"sub": {"value": sub}}})
    for extra in ({"id_token_hint": tokens["id_token"]}, {"claims": named}):
        assert code_of(browser.authorize(town.library, SCOPE, Proof(), prompt="none", **extra))
        assert _subject(town, browser, **extra) == sub
    client = town.app.extensions["denizen.oidc"].clients.find(town.library.client_id)
    new = subject_for(town.context.vault, client, town.maria.resident_id)
    assert new != sub
    other = json.dumps({"id_token": {"sub": {"value": new}}})
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none", claims=other)
    assert_refused_back(answer, "login_required")


def test_a_narrower_request_is_covered_by_what_was_agreed(known: tuple[Town, Browser]) -> None:
    """Asking for less asks for nothing; the token has the narrower scope."""
    town, browser = known
    proof = Proof()
    code = code_of(browser.authorize(town.library, "openid", proof))
    tokens = town.redeem(town.library, code, proof).json
    assert tokens["scope"] == "openid"
    assert set(town.userinfo(tokens["access_token"]).json) == {"sub"}


def test_a_session_that_timed_out_is_no_session(known: tuple[Town, Browser]) -> None:
    """NIST SP 800-63B-4 §2.2.3: idle for four hours, a day in any case."""
    town, browser = known
    town.clock.advance(town.settings.sessions.idle_for)
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none")
    assert_refused_back(answer, "login_required")


def test_a_no_to_what_was_agreed_to_before_ends_it(town: Town) -> None:
    """prompt=consent asks anew, and the last word counts: the record says no, so nothing rests on the yes before it."""
    tokens = town.tokens(town.library, town.maria, "openid profile email offline_access")
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.follow(browser.authorize(town.library, "openid profile email", Proof(), prompt="consent"))
    assert answer_parameters(browser.follow(browser.deny()))["error"] == "access_denied"
    assert [one.event for one in town.rows(Record)] == ["given", "refused"]
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_a_no_on_a_page_of_information_changes_nothing(town: Town) -> None:
    """What the law lets a service have is not agreed to: turning back is no event, and what it has it keeps."""
    tokens = town.tokens(town.tax, town.maria, "openid profile email")
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.follow(browser.authorize(town.tax, "openid profile email", Proof(), prompt="consent"))
    browser.follow(browser.deny())
    assert town.userinfo(tokens["access_token"]).status_code == 200
