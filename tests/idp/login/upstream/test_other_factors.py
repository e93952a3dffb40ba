"""K27: what a provider proved stands in for nothing that the account itself asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyotp
import pytest

from idp.accounts.models import Resident
from idp.clients.service import demand_level
from idp.login.models import BrowserSession, LoginProof
from idp.login.otp import service as otp
from tests.idp.login.upstream.test_signing_in import link
from tests.idp.oidc.test_step_up import demand
from tests.support.factors import sent_code
from tests.support.town import Proof, code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.idp.login.upstream.provider import Provider
    from tests.support.town import Town

    Connect = Callable[..., tuple[Town, Provider]]


def add_app(town: Town, resident_id: str) -> pyotp.TOTP:
    now = int(town.clock())
    with town.context.database.transaction() as session:
        resident = session.get(Resident, resident_id)
        assert resident is not None
        assert resident.data_key is not None
        data_key = town.context.vault.open_data_key(resident.data_key)
        app_id = otp.begin(session, data_key, resident_id, "Phone", now=now)
        assert app_id is not None
        waiting = otp.pending(session, data_key, resident_id, app_id, now=now)
        assert waiting is not None
        app = pyotp.TOTP(waiting.secret)
        assert otp.confirm(session, waiting, app.at(now), now=now)
    return app


def test_a_second_factor_is_owed_after_a_provider_that_proved_one(connect: Connect) -> None:
    """An account with an app for codes owes its code after a provider's lowest level, in every tab and by every path."""
    town, provider = connect()
    link(town, provider, town.maria)
    app = add_app(town, town.maria.resident_id)
    provider.claims = {"acr": "unheard-of"}
    browser = town.browser()
    page = browser.follow(provider.sign_in(browser))
    assert page.request.path == "/login/totp"
    before = len(town.rows(BrowserSession))
    assert browser.get("/account").status_code == 303
    again = browser.follow(provider.sign_in(browser))
    assert again.request.path == "/login/totp", "proving the same once more adds nothing"
    assert len(town.rows(BrowserSession)) == before
    town.clock.advance(30)
    answer = browser.submit("/login/totp", code=app.at(int(town.clock())))
    assert browser.follow(answer).request.path == "/account"
    live = [row.acr for row in town.rows(BrowserSession) if row.ended_at is None]
    assert "phr" not in live


@pytest.mark.parametrize("said", ["pwd", "sms", "pin"])
def test_one_factor_of_a_provider_is_never_taken_for_one_of_ours(connect: Connect, said: str) -> None:
    """identity.md: acr says what was proved here. A step-up makes no more of a session than its first sign-in did."""
    town, provider = connect(levels={"one": "basic"})
    link(town, provider, town.maria)
    provider.claims = {"acr": "one", "amr": [said]}
    browser = town.browser()
    provider.sign_in(browser)
    with town.context.database.transaction() as session:
        assert demand_level(session, town.library.client_id, "strong")
    town.fresh()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    (carried,) = [row for row in town.rows(LoginProof) if row.raised_sid]
    assert (carried.method, carried.level, carried.amr) == ("upstream", "basic", said)
    assert page.request.path == "/login/email-code"
    browser.follow(browser.submit("/login/email-code", send="1"))
    page = browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    assert page.request.path == "/login", "a code by mail makes two factors with our own password alone"
    (raised,) = [row for row in town.rows(BrowserSession) if row.sid == carried.raised_sid]
    assert (raised.acr, raised.amr) == ("basic", said)
    browser.follow(browser.submit("/login", username="maria", password=town.maria.password))
    (raised,) = [row for row in town.rows(BrowserSession) if row.sid == carried.raised_sid]
    assert (raised.acr, set(raised.amr.split())) == ("strong", {"pwd", "otp", "mfa", said})


def test_a_provider_that_proved_two_factors_is_enough(connect: Connect) -> None:
    """Two factors there are two factors; nobody is asked for a third."""
    town, provider = connect()
    link(town, provider, town.maria)
    add_app(town, town.maria.resident_id)
    browser = town.browser()
    assert browser.follow(provider.sign_in(browser)).request.path == "/account"


def test_a_provider_that_says_enough_raises_a_session(connect: Connect) -> None:
    """Signed in by password; what the service demands is what the provider can say, and nothing else they have."""
    town, provider = connect(levels={"two-factors": "strong", "hardware": "phr"})
    link(town, provider, town.maria)
    demand(town, town.library, minimum_acr="phr")
    browser = town.browser()
    browser.sign_in(town.maria)
    page = browser.follow(browser.authorize(town.library, "openid", ours := Proof()))
    assert page.request.path == "/login/upstream"
    provider.claims = {"acr": "hardware"}
    landed = browser.follow(provider.sign_in(browser, page))
    landed = browser.follow(browser.allow()) if 'action="/consent"' in landed.text else landed
    assert town.redeem(town.library, code_of(landed), ours).status_code == 200


def test_a_provider_may_say_more_when_it_is_asked_again(connect: Connect) -> None:
    """The session came from there at a lower level; one proof of each kind is kept, the better one."""
    town, provider = connect(levels={"two-factors": "strong", "hardware": "phr"})
    link(town, provider, town.maria)
    provider.claims = {"acr": "two-factors"}
    browser = town.browser()
    provider.sign_in(browser)
    demand(town, town.library, minimum_acr="phr")
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    assert page.request.path == "/login/upstream"
    provider.claims = {"acr": "two-factors"}
    again = browser.follow(provider.sign_in(browser, page))
    assert again.request.path == "/login/upstream", "it said no more than before"
    provider.claims = {"acr": "hardware"}
    landed = browser.follow(provider.sign_in(browser, again))
    landed = browser.follow(browser.allow()) if 'action="/consent"' in landed.text else landed
    assert code_of(landed)
    assert "phr" in [row.acr for row in town.rows(BrowserSession)]
