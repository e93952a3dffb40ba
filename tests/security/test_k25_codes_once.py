"""K25: a code of an app, a recovery code and a sent code each open one door once, whoever is fastest (ASVS 6.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from idp.login.models import BrowserSession, Password
from idp.login.otp.models import AuthenticatorApp
from idp.login.otp.rules import STEP
from idp.login.recovery_codes.models import RecoveryCode
from tests.support.factors import (
    add_app,
    after_password,
    ask_for_code,
    attempt_of,
    new_recovery_codes,
    sent_code,
    shown,
    with_app,
)
from tests.support.nodes import NODES, THREADS, Request, another_node, two_nodes
from tests.support.town import hidden_fields

if TYPE_CHECKING:
    from tests.support.town import Browser, Town

CALLERS = NODES * THREADS


def live(town: Town) -> list[BrowserSession]:
    return [row for row in town.rows(BrowserSession) if row.ended_at is None]


def as_request(browser: Browser, path: str, code: str) -> Request:
    """The form of the last page with a code, as a process of its own sends it."""
    assert browser.last is not None
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.http._cookies.values())
    return Request(path, {**hidden_fields(browser.last.text, path), "code": code}, {"Cookie": cookies})


def test_of_parallel_uses_of_one_code_of_an_app_exactly_one_succeeds(town: Town) -> None:
    """Ten sign-ins in two processes, each with the password proved, all with the same code."""
    secret = with_app(town, town.maria)
    browsers = [town.browser() for _ in range(CALLERS)]
    for browser in browsers:
        assert after_password(browser, town.maria).request.path == "/login/totp"
    requests = [as_request(browser, "/login/totp", shown(town, secret)) for browser in browsers]
    with two_nodes(town) as nodes:
        replies = nodes.each_at_once(requests, int(town.clock()))
    assert sorted(reply.status for reply in replies) == [303] + [422] * (CALLERS - 1)
    assert len(live(town)) == 1


def test_of_parallel_uses_of_one_recovery_code_exactly_one_succeeds(town: Town) -> None:
    first = town.browser()
    first.sign_in(town.maria)
    code = new_recovery_codes(first)[0]
    first.get("/logout")
    first.submit("/logout")
    with_app(town, town.maria)
    browsers = [town.browser() for _ in range(CALLERS)]
    for browser in browsers:
        page = after_password(browser, town.maria)
        browser.get(f"/login/recovery-code?attempt={attempt_of(page)}")
    requests = [as_request(browser, "/login/recovery-code", code) for browser in browsers]
    with two_nodes(town) as nodes:
        replies = nodes.each_at_once(requests, int(town.clock()))
    assert sorted(reply.status for reply in replies) == [303] + [422] * (CALLERS - 1)
    assert sum(row.spent_at is not None for row in town.rows(RecoveryCode)) == 1
    assert len(live(town)) == 1


def test_of_parallel_uses_of_one_sent_code_exactly_one_succeeds(town: Town) -> None:
    """The attempt is ended by one conditional write as well: never two sessions of it."""
    with town.context.database.transaction() as session:
        session.execute(delete(Password).where(Password.resident_id == town.maria.resident_id))
    browser = town.browser()
    ask_for_code(browser, "maria")
    request = as_request(browser, "/login/email-code", sent_code(town))
    with two_nodes(town) as nodes:
        replies = nodes.all_at_once(request, int(town.clock()))
    begun = [reply for reply in replies if reply.status == 303]
    assert begun
    assert {reply.status for reply in replies} <= {303, 400, 422}
    assert len(town.rows(BrowserSession)) == 1


def test_a_code_that_signed_in_neither_signs_in_again_nor_steps_up(town: Town) -> None:
    """CVE-2024-7318: not at the next sign-in, not at another node, not where more is asked for."""
    secret = with_app(town, town.maria)
    code = shown(town, secret)
    browser = town.browser()
    after_password(browser, town.maria)
    assert browser.submit("/login/totp", code=code).status_code == 303
    after_password(browser, town.maria, "/login?again=1&wanted=strong&next=/account/sign-in/apps/new")
    assert browser.submit("/login/totp", code=code).status_code == 422
    with another_node(town) as other:
        elsewhere = other.browser()
        after_password(elsewhere, town.maria)
        assert elsewhere.submit("/login/totp", code=code).status_code == 422
        town.clock.advance(STEP)
        assert elsewhere.submit("/login/totp", code=shown(town, secret)).status_code == 303


def test_no_older_code_works_after_a_newer_one(town: Town) -> None:
    """RFC 6238 §5.2: the last step used is remembered, not the code alone."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    after_password(browser, town.maria)
    older, newer = shown(town, secret), shown(town, secret, 1)
    assert browser.submit("/login/totp", code=newer).status_code == 303
    browser = town.browser()
    after_password(browser, town.maria)
    assert browser.submit("/login/totp", code=older).status_code == 422
    assert browser.submit("/login/totp", code=newer).status_code == 422


@pytest.mark.parametrize("back", [30, 90, 3600])
def test_a_clock_that_is_set_back_brings_no_code_back(town: Town, back: int) -> None:
    """K40: steps only go on. The code of the time that the clock shows now is as old as it was."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    after_password(browser, town.maria)
    used = shown(town, secret)
    assert browser.submit("/login/totp", code=used).status_code == 303
    (app,) = town.rows(AuthenticatorApp)
    town.clock.advance(-back)
    browser = town.browser()
    after_password(browser, town.maria)
    for code in (used, shown(town, secret), shown(town, secret, 1)):
        assert browser.submit("/login/totp", code=code).status_code == 422
    assert town.rows(AuthenticatorApp)[0].last_step == app.last_step


def test_the_code_that_set_an_app_up_signs_nobody_in(town: Town) -> None:
    """It was seen on the screen beside the secret."""
    browser = town.browser()
    browser.sign_in(town.maria)
    secret = add_app(browser)
    other = town.browser()
    after_password(other, town.maria)
    assert other.submit("/login/totp", code=shown(town, secret)).status_code == 422
    assert other.submit("/login/totp", code=shown(town, secret, 1)).status_code == 303
