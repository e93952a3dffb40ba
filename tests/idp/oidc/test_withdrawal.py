"""A withdrawal on the privacy pages bites at once, and what it killed stays dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idp.oidc.models import Grant
from tests.support.settled import SCOPE, assert_refused_back
from tests.support.town import Browser, Proof

if TYPE_CHECKING:
    from tests.support.town import Partner, Town


def _visit(town: Town, partner: Partner, browser: Browser) -> dict[str, Any]:
    proof = Proof()
    code = browser.code(partner, town.maria, SCOPE, proof)
    found: dict[str, Any] = town.redeem(partner, code, proof).json
    return found


def _withdraw(browser: Browser) -> None:
    browser.get("/privacy/services/library")
    answer = browser.submit("/privacy/services/library/withdraw")
    assert answer.location == "/privacy/services/library/withdrawn"


@pytest.fixture
def visited(town: Town) -> tuple[Town, Browser, dict[str, Any]]:
    browser = town.browser()
    return town, browser, _visit(town, town.library, browser)


def _assert_dead(town: Town, tokens: dict[str, Any]) -> None:
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.introspect(town.library, tokens["access_token"]).json == {"active": False}
    assert town.introspect(town.library, tokens["refresh_token"]).json == {"active": False}
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_every_token_of_the_service_is_dead_with_the_click(
    visited: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """GDPR Art. 7(3): as easy as agreeing, and as quick; on every device."""
    town, browser, tokens = visited
    other = _visit(town, town.library, town.browser())
    _withdraw(browser)
    for each in (tokens, other):
        _assert_dead(town, each)


def test_other_services_and_other_residents_are_untouched(
    visited: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """One service, one resident."""
    town, browser, _ = visited
    tax = _visit(town, town.tax, browser)
    jun = town.tokens(town.library, town.jun, SCOPE)
    _withdraw(browser)
    for tokens in (tax, jun):
        assert town.userinfo(tokens["access_token"]).status_code == 200


def test_the_service_has_to_ask_again(visited: tuple[Town, Browser, dict[str, Any]]) -> None:
    """OIDC Core §3.1.2.4: no silent answer, and the page with its question."""
    town, browser, _ = visited
    _withdraw(browser)
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="none")
    assert_refused_back(answer, "consent_required")
    assert 'action="/consent"' in browser.follow(browser.authorize(town.library, SCOPE, Proof())).text


def test_agreeing_again_revives_nothing(visited: tuple[Town, Browser, dict[str, Any]]) -> None:
    """A new decision makes a new grant; tokens of the old one stay dead, the subject stays the same."""
    town, browser, tokens = visited
    sub = town.userinfo(tokens["access_token"]).json["sub"]
    for _ in range(2):
        _withdraw(browser)
        _assert_dead(town, tokens)
        again = _visit(town, town.library, browser)
        _assert_dead(town, tokens)
        assert town.userinfo(again["access_token"]).json["sub"] == sub
        tokens = again
    grants = [row for row in town.rows(Grant) if row.client_id == "library"]
    assert len(grants) == 3
    assert sum(row.revoked_at is None for row in grants) == 1


def test_a_waiting_request_does_not_slip_past_a_withdrawal(
    visited: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """A request that waits in one tab while the other tab withdraws is asked about after all."""
    town, browser, _ = visited
    town.clock.advance(10)
    answer = browser.authorize(town.library, SCOPE, Proof(), prompt="login")
    _withdraw(browser)
    browser.follow(answer)
    assert 'action="/consent"' in browser.follow(browser.sign_in(town.maria)).text


def test_taking_one_box_back_narrows_tokens_that_are_out_already(
    visited: tuple[Town, Browser, dict[str, Any]],
) -> None:
    """Userinfo reads what is agreed now, not what was agreed when the token was made."""
    town, browser, tokens = visited
    assert "email" in town.userinfo(tokens["access_token"]).json
    browser.follow(browser.authorize(town.library, SCOPE, Proof(), prompt="consent"))
    browser.allow(share=[])
    found = town.userinfo(tokens["access_token"]).json
    assert "name" in found
    assert "email" not in found
