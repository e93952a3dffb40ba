"""Sign-ins and sessions that an older version began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from idp.login.models import BrowserSession, LoginProof
from idp.schema import downgrade_database, upgrade_database
from tests.support.factors import after_password, attempt_of, shown, with_app

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
