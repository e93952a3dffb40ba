"""Apps that show codes: set up with a first code, asked for after the password, each code once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from idp.login.models import BrowserSession, Password
from idp.login.otp.models import AuthenticatorApp
from idp.login.otp.rules import STEP, code_at, grouped, normal_code, steps_of
from tests.support.factors import APPS, add_app, after_password, attempt_of, shown, with_app
from tests.support.told import told
from tests.support.town import Proof, answer_parameters, code_of

if TYPE_CHECKING:
    from tests.support.town import Town

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_specification(at: int, code: str) -> None:
    """RFC 6238 appendix B, its last six digits."""
    assert code_at(RFC_SECRET, at // STEP) == code


@given(st.integers(min_value=0, max_value=2**37))
def test_codes_are_those_of_other_software(at: int) -> None:
    assert code_at(RFC_SECRET, at // STEP) == pyotp.TOTP(RFC_SECRET).at(at)


@given(st.integers(min_value=10_000, max_value=2**40), st.integers(min_value=-4, max_value=4))
def test_a_clock_may_be_wrong_by_one_step(now: int, off: int) -> None:
    """RFC 6238 §5.2: one step to either side, and no more (but for codes that happen to be equal)."""
    code = code_at(RFC_SECRET, now // STEP + off)
    found = list(steps_of(RFC_SECRET, code, now=now))
    assert (now // STEP + off in found) is (abs(off) <= 1)


@given(st.text(max_size=12))
def test_any_text_is_a_code_or_none(typed: str) -> None:
    code = normal_code(typed)
    assert code is None or (len(code) == 6 and code.isascii() and code.isdigit())


def test_the_code_is_asked_for_after_the_password(town: Town) -> None:
    """identity.md: two factors; the session says so, and the partner learns it."""
    secret = with_app(town, town.maria)
    browser, proof = town.browser(), Proof()
    browser.follow(browser.authorize(town.tax, "openid profile", proof))
    assert browser.last is not None
    page = browser.follow(browser.submit("/login", username="maria", password=town.maria.password))
    assert "Enter the code of your app" in page.text
    assert "Tax portal" in page.text
    assert not [row for row in town.rows(BrowserSession) if row.ended_at is None]
    answer = browser.follow(browser.submit("/login/totp", code=shown(town, secret)))
    if 'action="/consent"' in answer.text:
        answer = browser.follow(browser.allow())
    tokens = town.redeem(town.tax, code_of(answer), proof).json
    assert tokens["id_token"]
    (row,) = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert (row.acr, row.amr) == ("strong", "pwd otp mfa")
    assert row.authenticated_at == int(town.clock())


def test_the_picture_says_what_the_key_says(town: Town) -> None:
    """The picture is drawn without styles, so the policy of the page stays strict; the key can be typed instead."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get(f"{APPS}/new")
    page = browser.follow(browser.submit(APPS, name="Phone"))
    assert "style=" not in page.text.partition("<main")[2]
    assert page.text.count("<svg") >= 2
    (app,) = town.rows(AuthenticatorApp)
    secret = re.findall(r'dz-key"[^>]*>([A-Z2-7 ]+)<', page.text)[0]
    assert grouped(secret.replace(" ", "")) == secret
    assert len(secret.replace(" ", "")) * 5 == 160
    assert secret.replace(" ", "").encode() not in app.secret
    assert b"Phone" not in app.name


def test_an_app_counts_once_its_first_code_was_right(town: Town) -> None:
    """A secret that never reached an app locks nobody out; the one begun last counts; a quarter of an hour is enough."""
    browser = town.browser()
    browser.sign_in(town.maria)
    browser.get(f"{APPS}/new")
    page = browser.follow(browser.submit(APPS, name="Phone"))
    path = page.request.path
    assert browser.submit(path, code="12").status_code == 422
    browser.get(path)
    assert browser.submit(path, code="000000").status_code == 422
    assert after_password(town.browser(), town.maria).request.path == "/account"
    browser.get(f"{APPS}/new")
    browser.submit(APPS, name="Other")
    assert browser.get(path).status_code == 404
    second = browser.last
    assert second is not None
    (row,) = town.rows(AuthenticatorApp)
    town.clock.advance(900)
    assert browser.get(f"{APPS}/{row.id}").status_code == 404


def test_a_change_is_told_and_signs_out_everybody_else(town: Town) -> None:
    """identity.md: on every channel, in the same transaction; other sessions and families of tokens end."""
    tokens = town.tokens(town.library, town.maria, "openid offline_access")
    stranger, browser = town.browser(), town.browser()
    stranger.sign_in(town.maria)
    browser.sign_in(town.maria)
    secret = add_app(browser)
    assert stranger.get("/account").status_code == 303
    assert browser.get("/account").status_code == 200
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert [one.to for one in told(town, "app_added")] == [town.maria.email]
    town.clock.advance(60)
    after_password(browser, town.maria)
    browser.submit("/login/totp", code=shown(town, secret))
    (row,) = town.rows(AuthenticatorApp)
    browser.get(f"{APPS}/{row.id}")
    answer = browser.submit(f"{APPS}/{row.id}/remove")
    assert answer.headers["Location"] == "/account/sign-in?done=app-removed"
    assert [one.to for one in told(town, "app_removed")] == [town.maria.email]
    assert town.rows(AuthenticatorApp) == []
    assert after_password(town.browser(), town.maria).request.path == "/account"


def test_the_password_alone_changes_nothing_once_there_is_an_app(town: Town) -> None:
    """Changes need all that the resident signs in with, in the last minutes."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    after_password(browser, town.maria)
    browser.submit("/login/totp", code=shown(town, secret))
    (row,) = town.rows(AuthenticatorApp)
    town.clock.advance(301)
    for path in (
        f"{APPS}/new",
        "/account/sign-in/recovery-codes",
        "/account/passkeys/new",
        "/account/password",
    ):
        assert browser.get(path).headers["Location"] == f"/login?again=1&wanted=strong&next={path}"
    page = after_password(browser, town.maria, f"/login?again=1&wanted=strong&next={APPS}/new")
    assert page.request.path == "/login/totp"
    assert browser.get(f"{APPS}/new").status_code == 303
    browser.get(f"/login/totp?attempt={attempt_of(page)}")
    answer = browser.submit("/login/totp", code=shown(town, secret))
    assert answer.headers["Location"] == f"{APPS}/new"
    assert browser.follow(answer).status_code == 200
    assert browser.get(f"{APPS}/{row.id}").status_code == 200


def test_several_apps_each_with_a_name(town: Town) -> None:
    """Every one of them signs in, and each can be called otherwise and removed by itself."""
    browser = town.browser()
    browser.sign_in(town.maria)
    first = add_app(browser, "First")
    town.clock.advance(60)
    after_password(browser, town.maria)
    browser.submit("/login/totp", code=shown(town, first))
    second = add_app(browser, "Second")
    page = browser.get("/account/sign-in").text
    assert page.index("First") < page.index("Second")
    town.clock.advance(60)
    for secret in (first, second):
        other = town.browser()
        after_password(other, town.maria)
        assert other.submit("/login/totp", code=shown(town, secret)).status_code == 303
    with town.context.database.reading() as session:
        ids = list(
            session.execute(select(AuthenticatorApp.id).order_by(AuthenticatorApp.created_at)).scalars()
        )
    browser.get(f"{APPS}/{ids[1]}")
    renamed = browser.follow(browser.submit(f"{APPS}/{ids[1]}", name="  Third   app "))
    assert "Third app" in renamed.text
    browser.get(f"{APPS}/{ids[1]}")
    assert browser.submit(f"{APPS}/{ids[1]}", name="").status_code == 422


def test_anothers_app_is_absent(town: Town) -> None:
    """K34: looking, renaming, confirming and removing are 404, as for one that never was."""
    with_app(town, town.maria)
    (row,) = town.rows(AuthenticatorApp)
    jun = town.browser()
    jun.sign_in(town.jun)
    jun.get(f"{APPS}/new")
    for one in (row.id, "A" * 22):
        assert jun.get(f"{APPS}/{one}").status_code == 404
        jun.get(f"{APPS}/new")
        token = {"csrf_token": jun.last.text.partition('name="csrf_token" value="')[2].partition('"')[0]}  # type: ignore[union-attr]
        assert jun.post(f"{APPS}/{one}", {**token, "name": "Mine", "code": "123456"}).status_code == 404
        assert jun.post(f"{APPS}/{one}/remove", token).status_code == 404
    assert len(town.rows(AuthenticatorApp)) == 1


def test_a_short_password_keeps_its_second_step(town: Town) -> None:
    """NIST SP 800-63B-4 §3.1.1.1: eight letters only beside a second factor."""
    browser = town.browser()
    browser.sign_in(town.maria)
    add_app(browser)
    with town.context.database.transaction() as session:
        session.get_one(Password, town.maria.resident_id).is_short = True
    (row,) = town.rows(AuthenticatorApp)
    town.clock.advance(30)
    with town.context.database.transaction() as session:
        session.query(BrowserSession).update({"acr": "strong"})
    browser.get(f"{APPS}/{row.id}")
    answer = browser.submit(f"{APPS}/{row.id}/remove")
    assert answer.status_code == 422
    assert "Your password is short" in answer.text
    assert len(town.rows(AuthenticatorApp)) == 1


def test_cancelling_at_the_code_tells_the_partner(town: Town) -> None:
    """OIDC Core §3.1.2.6, from every page of the sign-in; the attempt is over with it."""
    with_app(town, town.maria)
    browser = town.browser()
    browser.follow(browser.authorize(town.library, "openid", Proof()))
    page = browser.follow(browser.submit("/login", username="maria", password=town.maria.password))
    handle = attempt_of(page)
    answer = browser.submit("/login/totp", cancel="1")
    assert answer_parameters(answer)["error"] == "access_denied"
    assert browser.get(f"/login/totp?attempt={handle}").status_code == 400
