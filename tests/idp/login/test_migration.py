"""Sign-ins and sessions that an older version began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.clients.service import demand_level
from idp.login.models import BrowserSession, LoginProof
from idp.schema import downgrade_database, upgrade_database
from tests.support.factors import after_password, attempt_of, sent_code, shown, with_app
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town


def test_a_sign_in_that_waits_while_the_town_is_upgraded_proves_everything_here(town: Town) -> None:
    """0023: nobody wrote down whether a session had brought its proofs along, so none of them counts."""
    secret = with_app(town, town.maria)
    browser = town.browser()
    asked = after_password(browser, town.maria)
    assert [row.method for row in town.rows(LoginProof)] == ["password"]
    url = town.settings.database.url
    downgrade_database(url, "0022")
    upgrade_database(url)
    assert town.rows(LoginProof) == []
    browser.last = asked
    page = browser.follow(browser.submit("/login/totp", code=shown(town, secret)))
    assert page.request.path == "/login"
    assert attempt_of(page) == attempt_of(asked)
    assert [row for row in town.rows(BrowserSession) if row.ended_at is None] == []
    browser.sign_in(town.maria)
    assert browser.follow().request.path == "/login/totp"
    assert browser.submit("/login/totp", code=shown(town, secret)).headers["Location"] == "/account"


def test_a_session_of_an_older_version_brings_nothing_along(town: Town) -> None:
    """0024: its amr does not tell whose password it was, so a step-up asks for everything, and says since when."""
    browser = town.browser()
    browser.sign_in(town.maria)
    url = town.settings.database.url
    downgrade_database(url, "0023")
    upgrade_database(url)
    town.clock.advance(60)
    with town.context.database.transaction() as session:
        assert demand_level(session, town.library.client_id, "strong")
    town.fresh()
    page = browser.follow(browser.authorize(town.library, "openid", Proof()))
    assert page.request.path == "/login"
    assert "attempt" in page.request.args
    page = browser.follow(browser.sign_in(town.maria))
    assert page.request.path == "/login/email-code"
    browser.follow(browser.submit("/login/email-code", send="1"))
    browser.follow(browser.submit("/login/email-code", code=sent_code(town)))
    (live,) = [row for row in town.rows(BrowserSession) if row.ended_at is None]
    assert (live.acr, live.amr) == ("strong", "pwd otp mfa")
    assert set(str(live.proofs).split()) == {"password=basic", "email-code=basic"}
    assert live.authenticated_at == int(town.clock())
