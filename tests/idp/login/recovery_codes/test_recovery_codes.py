"""Recovery codes: ten, shown once, each good for one sign-in instead of the second factor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.login.models import BrowserSession
from idp.login.recovery_codes.models import RecoveryCode
from idp.login.recovery_codes.rules import ALPHABET, LENGTH, grouped, normal_code
from tests.support.factors import (
    RECOVERY_CODES,
    add_app,
    after_password,
    attempt_of,
    new_recovery_codes,
    with_app,
)
from tests.support.told import told
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Browser, Town


def with_codes(town: Town) -> tuple[Browser, list[str]]:
    """Maria with codes and an app; a browser in which the password was proved."""
    first = town.browser()
    first.sign_in(town.maria)
    codes = new_recovery_codes(first)
    add_app(first)
    town.clock.advance(60)
    browser = town.browser()
    page = after_password(browser, town.maria)
    browser.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    return browser, codes


def test_ten_codes_are_shown_once_and_kept_as_hashes(town: Town) -> None:
    """NIST SP 800-63B-4 §3.1.2: at least 64 bits each; the database alone gives none away."""
    browser = town.browser()
    browser.sign_in(town.maria)
    codes = new_recovery_codes(browser)
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == LENGTH for code in codes)
    page = browser.get(RECOVERY_CODES).text
    assert "You have 10 of them left" in page
    assert not any(code in page for code in codes)
    stored = b"".join(bytes(row.code_hash) for row in town.rows(RecoveryCode))
    assert not any(code.encode() in stored or code.replace("-", "").encode() in stored for code in codes)
    assert [one.to for one in told(town, "recovery_codes_made")] == [town.maria.email]


def test_a_code_stands_in_for_the_app_and_the_owner_is_told(town: Town) -> None:
    browser, codes = with_codes(town)
    answer = browser.submit("/login/recovery-code", code=codes[3].lower().replace("-", " "))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    (row,) = [row for row in town.rows(BrowserSession) if row.ended_at is None and row.amr != "pwd"]
    assert (row.acr, row.amr) == ("strong", "pwd otp mfa")
    (notice,) = told(town, "recovery_code_used")
    assert (notice.to, notice.values["left"]) == (town.maria.email, 9)
    assert "9 left" in browser.get("/account/sign-in").text


def test_a_code_works_once(town: Town) -> None:
    """K25: also in the next sign-in; a wrong one costs none."""
    browser, codes = with_codes(town)
    assert browser.submit("/login/recovery-code", code="AAAA-AAAA-AAAA-AAAA").status_code == 422
    browser.submit("/login/recovery-code", code=codes[0])
    again = town.browser()
    page = after_password(again, town.maria)
    again.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    assert again.submit("/login/recovery-code", code=codes[0]).status_code == 422
    assert again.submit("/login/recovery-code", code=codes[1]).status_code == 303


def test_a_new_set_ends_the_old_one(town: Town) -> None:
    browser, old = with_codes(town)
    browser.submit("/login/recovery-code", code=old[0])
    new = new_recovery_codes(browser)
    assert not set(new) & set(old)
    again = town.browser()
    page = after_password(again, town.maria)
    again.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    assert again.submit("/login/recovery-code", code=old[1]).status_code == 422
    assert again.submit("/login/recovery-code", code=new[0]).status_code == 303


def test_the_page_of_new_codes_loaded_again_makes_no_others(town: Town) -> None:
    """What was just written down is good, and the page says so; only pressing the button again makes others."""
    browser, old = with_codes(town)
    browser.submit("/login/recovery-code", code=old[0])
    form = browser.get(RECOVERY_CODES).text
    fields = hidden_fields(form, RECOVERY_CODES)
    new = re.findall(r"<li><code>([0-9A-Z-]+)</code></li>", browser.post(RECOVERY_CODES, fields).text)
    town.clock.advance(5)
    again = browser.post(RECOVERY_CODES, fields)
    assert again.status_code == 409
    assert "those that you wrote down or printed are good" in again.text
    assert "<li><code>" not in again.text
    assert len(told(town, "recovery_codes_made")) == 2
    other = town.browser()
    page = after_password(other, town.maria)
    other.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    assert other.submit("/login/recovery-code", code=new[0]).status_code == 303
    town.clock.advance(1)
    browser.last = again
    assert len(re.findall(r"<li><code>", browser.submit(RECOVERY_CODES).text)) == 10


def test_a_code_of_somebody_else_opens_nothing(town: Town) -> None:
    """K34: a code is bound to its owner."""
    browser, _ = with_codes(town)
    jun = town.browser()
    jun.sign_in(town.jun)
    hers = new_recovery_codes(jun)
    assert browser.submit("/login/recovery-code", code=hers[0]).status_code == 422
    assert all(row.spent_at is None for row in town.rows(RecoveryCode))


def test_without_codes_there_is_no_such_page(town: Town) -> None:
    """K27: a page that is not offered leads to the one that is."""
    with_app(town, town.maria)
    browser = town.browser()
    page = after_password(browser, town.maria)
    answer = browser.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    assert answer.headers["Location"].startswith("/login/totp?attempt=")
    assert "Recovery code" not in browser.get(f"/login/other?attempt={attempt_of(page)}").text


@pytest.mark.parametrize("path", [RECOVERY_CODES])
def test_nobody_sees_them_who_did_not_sign_in_lately(town: Town, path: str) -> None:
    browser = town.browser()
    assert browser.get(path).headers["Location"] == f"/login?next={path}"
    browser.get("/login")
    browser.sign_in(town.maria)
    town.clock.advance(301)
    assert browser.get(path).headers["Location"].startswith("/login?again=1")


@given(st.lists(st.sampled_from(ALPHABET), min_size=LENGTH, max_size=LENGTH).map("".join))
def test_a_code_may_be_typed_in_many_ways(code: str) -> None:
    """Small letters, blanks, other dashes, and letters that look like digits."""
    assert normal_code(grouped(code)) == code
    assert normal_code(f" {grouped(code).lower().replace('-', ' – ')} ") == code
    assert normal_code(code.replace("0", "O").replace("1", "l")) == code


@given(st.text(max_size=30))
def test_any_text_is_a_recovery_code_or_none(typed: str) -> None:
    code = normal_code(typed)
    assert code is None or (len(code) == LENGTH and set(code) <= set(ALPHABET))
