"""K27: no step of a sign-in is passed by: what is owed is worked out from rows on every page (ASVS 6.4.3).

Maria has an app. After her password alone she is nobody, whatever address is opened in whatever order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import delete, update

from consent.models import Record
from idp.accounts.models import Resident
from idp.login import attempts
from idp.login.models import BrowserSession, LoginAttempt, LoginProof
from idp.login.otp.models import AuthenticatorApp
from idp.oidc.models import Authorization, Grant
from tests.support.factors import (
    add_app,
    after_password,
    ask_for_code,
    attempt_of,
    new_recovery_codes,
    shown,
    with_app,
)
from tests.support.nodes import Request, two_nodes
from tests.support.town import ISSUER, Proof, answer_parameters, code_of, hidden_fields

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Browser, Town

FACTOR_PAGES = [
    "/login",
    "/login/other",
    "/login/totp",
    "/login/recovery-code",
    "/login/email-code",
    "/login/card",
    "/login/paper-code",
]
PRIVATE_PAGES = [
    "/account",
    "/account/sign-in",
    "/account/devices",
    "/account/password",
    "/account/passkeys/new",
    "/privacy",
    "/privacy/history",
]


@pytest.fixture
def secret(town: Town) -> str:
    """Of Maria's app."""
    return with_app(town, town.maria)


def live(town: Town) -> list[BrowserSession]:
    return [row for row in town.rows(BrowserSession) if row.ended_at is None]


def waiting(town: Town) -> tuple[Browser, TestResponse, Proof]:
    """A browser in which the library waits and Maria's password alone was proved; the page that follows."""
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(town.library, "openid profile", proof))
    page = browser.follow(browser.submit("/login", username="maria", password=town.maria.password))
    assert page.request.path == "/login/totp"
    return browser, page, proof


def finish(town: Town, browser: Browser, secret: str) -> TestResponse:
    """Enter the code on the page shown last, and agree."""
    answer = browser.follow(browser.submit("/login/totp", code=shown(town, secret)))
    return browser.follow(browser.allow()) if 'action="/consent"' in answer.text else answer


@pytest.mark.parametrize("path", PRIVATE_PAGES)
def test_the_password_alone_opens_no_page(town: Town, secret: str, path: str) -> None:
    browser, _, _ = waiting(town)
    answer = browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=")
    assert live(town) == []


def test_the_password_alone_gives_a_partner_nothing(town: Town, secret: str) -> None:
    """No code, no consent, no session; `prompt=none` says that somebody must sign in."""
    browser, page, _ = waiting(town)
    flow = browser.get(f"/login/other?attempt={attempt_of(page)}")
    assert flow.status_code == 200
    none = browser.authorize(town.library, "openid", Proof(), prompt="none")
    assert answer_parameters(none)["error"] == "login_required"
    again = browser.follow(browser.authorize(town.library, "openid profile", Proof()))
    assert 'action="/login"' in again.text
    csrf = hidden_fields(again.text, "/login")
    answer = browser.post("/consent", {**csrf, "decision": "allow"})
    assert answer.headers.get("Location", "").startswith("/login")
    assert [town.rows(model) for model in (Record, Grant, Authorization)] == [[], [], []]


@pytest.mark.parametrize("path", FACTOR_PAGES)
def test_every_page_of_a_factor_leads_to_the_one_that_is_owed(town: Town, secret: str, path: str) -> None:
    """By address, by an empty form and by one with what the other page would take."""
    browser, page, _ = waiting(town)
    handle = attempt_of(page)
    fields = hidden_fields(page.text, "/login/totp")
    for answer in (
        browser.get(f"{path}?attempt={handle}"),
        browser.post(path, fields),
        browser.post(path, {**fields, "code": "", "pin": "", "username": "", "password": ""}),
    ):
        assert answer.status_code in (200, 303, 422), path
        assert "code=" not in answer.headers.get("Location", "")
        assert not answer.headers.get("Location", "").startswith(("/account", "/authorize"))
    assert live(town) == []
    browser.get(f"/login/totp?attempt={handle}")
    assert "code" in answer_parameters(finish(town, browser, secret))


def test_going_back_and_starting_again_asks_for_everything_again(town: Town, secret: str) -> None:
    """The proof of one attempt is none in another."""
    browser, _, _ = waiting(town)
    page = after_password(browser, town.maria)
    assert page.request.path == "/login/totp"
    page = browser.follow(browser.get("/login/other"))
    handle = attempt_of(page)
    answer = browser.get(f"/login/totp?attempt={handle}")
    assert answer.headers["Location"].startswith("/login?attempt=")
    assert len(town.rows(LoginAttempt)) == 3


def test_the_password_of_another_resident_changes_nobody(town: Town, secret: str) -> None:
    """One attempt is one person's: Jun's password in Maria's attempt proves nothing, and neither the other way round."""
    browser, page, _ = waiting(town)
    handle = attempt_of(page)
    fields = hidden_fields(page.text, "/login/totp")
    answer = browser.post("/login", {**fields, "username": "jun", "password": town.jun.password})
    assert answer.status_code == 422
    assert {(row.method, row.attempt_hash) for row in town.rows(LoginProof)} == {
        ("password", row.id_hash) for row in town.rows(LoginAttempt)
    }
    assert [row.resident_id for row in town.rows(LoginAttempt)] == [town.maria.resident_id]
    browser.get(f"/login/totp?attempt={handle}")
    assert "code" in answer_parameters(finish(town, browser, secret))
    assert [row.resident_id for row in live(town)] == [town.maria.resident_id]


def test_anothers_second_factor_does_not_count(town: Town, secret: str) -> None:
    juns = with_app(town, town.jun)
    browser, _, _ = waiting(town)
    assert browser.submit("/login/totp", code=shown(town, juns)).status_code == 422
    assert browser.submit("/login/totp", code=shown(town, secret)).status_code == 303


def test_a_handle_is_worth_nothing_in_another_browser(town: Town, secret: str) -> None:
    """K09: neither to look at nor to go on with."""
    browser, page, _ = waiting(town)
    handle = attempt_of(page)
    stranger = town.browser()
    own = hidden_fields(stranger.get("/login").text, "/login")
    for path in FACTOR_PAGES:
        assert stranger.get(f"{path}?attempt={handle}").status_code == 400, path
        answer = stranger.post(path, {**own, "attempt": handle, "code": shown(town, secret)})
        assert answer.status_code == 400, path
    assert live(town) == []
    assert browser.submit("/login/totp", code=shown(town, secret)).status_code == 303


def test_what_was_proved_is_what_the_partner_reads(town: Town, secret: str) -> None:
    """The acr and amr of the ID token; `strong` only after both."""
    browser, _, proof = waiting(town)
    tokens = town.redeem(town.library, code_of(finish(town, browser, secret)), proof).json
    keys = KeySet.import_key_set(town.app.test_client().get("/jwks", base_url=ISSUER).json)
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256", "RS256"]).claims
    assert (claims["acr"], claims["amr"]) == ("strong", ["pwd", "otp", "mfa"])
    assert claims["auth_time"] == int(town.clock())


def test_an_app_that_is_added_meanwhile_is_owed_at_once(town: Town) -> None:
    """What is owed is read from rows when the session begins, not when the sign-in did."""
    slow, fast = town.browser(), town.browser()
    page = ask_for_code(slow, "nobody")
    fast.get("/login")
    fast.sign_in(town.maria)
    add_app(fast)
    answer = slow.post(
        "/login",
        {
            **hidden_fields(page.text, "/login/email-code"),
            "username": "maria",
            "password": town.maria.password,
        },
    )
    assert answer.headers["Location"].startswith("/login/totp?attempt=")


def test_an_app_that_is_removed_meanwhile_is_owed_no_more(town: Town, secret: str) -> None:
    """The page that asked for it leads on; nobody is stuck."""
    browser, page, _ = waiting(town)
    with town.context.database.transaction() as session:
        session.execute(delete(AuthenticatorApp))
    answer = browser.get(f"/login/totp?attempt={attempt_of(page)}")
    assert answer.headers["Location"].startswith("/authorize/continue?flow=")
    (row,) = live(town)
    assert (row.acr, row.amr) == ("basic", "pwd")


def test_one_attempt_becomes_one_session(town: Town, secret: str) -> None:
    """It is ended by one conditional write whose row count is checked: ten callers in two processes, one session."""
    browser, page, _ = waiting(town)
    before = len(town.rows(BrowserSession))
    with town.context.database.transaction() as session:
        session.execute(delete(AuthenticatorApp))
    fields = hidden_fields(page.text, "/login/totp")
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(Request("/login/other", fields, {"Cookie": cookies}), int(town.clock()))
    assert {reply.status for reply in replies} <= {303, 400}
    assert len(town.rows(BrowserSession)) == before + 1


@pytest.mark.parametrize("path", ["/login/totp", "/login/other", "/login"])
def test_cancelling_ends_the_attempt_for_good(town: Town, secret: str, path: str) -> None:
    """OIDC Core §3.1.2.6 from every page; the right code afterwards opens nothing."""
    browser, page, _ = waiting(town)
    fields = hidden_fields(page.text, "/login/totp")
    answer = browser.post(path, {**fields, "cancel": "1"})
    assert answer_parameters(answer)["error"] == "access_denied"
    late = browser.post("/login/totp", {**fields, "code": shown(town, secret)})
    assert late.status_code == 400
    assert live(town) == []


def test_a_recovery_code_never_stands_in_for_the_password(town: Town) -> None:
    """It is a second factor and no first one."""
    owner = town.browser()
    owner.sign_in(town.maria)
    code = new_recovery_codes(owner)[0]
    browser = town.browser()
    handle = attempt_of(browser.follow(browser.get("/login/other")))
    fields = {**hidden_fields(browser.last.text, "/login/other")}  # type: ignore[union-attr]
    answer = browser.post("/login/recovery-code", {**fields, "code": code})
    assert answer.headers["Location"].startswith("/login?attempt=")
    assert browser.get(f"/login/recovery-code?attempt={handle}").status_code == 303
    assert len(live(town)) == 1


def test_a_code_by_mail_does_not_replace_the_app(town: Town, secret: str) -> None:
    """Password and mailbox are two factors, but the app was chosen: it is owed whatever else there is."""
    browser, page, _ = waiting(town)
    fields = hidden_fields(page.text, "/login/totp")
    answer = browser.post("/login/email-code", {**fields, "send": "1"})
    assert answer.headers["Location"].startswith("/login/totp?attempt=")
    assert "Code by e-mail" not in browser.get(f"/login/other?attempt={attempt_of(page)}").text


def test_an_expired_attempt_opens_nothing(town: Town, secret: str) -> None:
    browser, page, _ = waiting(town)
    fields = hidden_fields(page.text, "/login/totp")
    town.clock.advance(attempts.WAIT_FOR)
    answer = browser.post("/login/totp", {**fields, "code": shown(town, secret)})
    assert answer_parameters(answer)["error"] == "access_denied", "the partner learns that it waited too long"
    assert live(town) == []


def test_frozen_between_the_steps(town: Town, secret: str) -> None:
    """The state of the account is read when the session begins."""
    browser, _, _ = waiting(town)
    with town.context.database.transaction() as session:
        session.execute(update(Resident).where(Resident.id == town.maria.resident_id).values(state="frozen"))
    assert browser.submit("/login/totp", code=shown(town, secret)).status_code in (400, 422)
    assert live(town) == []
