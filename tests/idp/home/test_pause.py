"""The button that stops everything: nothing is passed on until its resident says otherwise after a fresh sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consent import acts
from consent.withdrawals import service as withdrawals
from idp.login.models import BrowserSession
from idp.oidc.models import Grant
from tests.support.settled import SCOPE
from tests.support.told import told
from tests.support.town import ISSUER, Browser, Proof

if TYPE_CHECKING:
    from tests.support.town import Partner, Town


def visit(town: Town, partner: Partner, browser: Browser) -> dict[str, Any]:
    proof = Proof()
    found: dict[str, Any] = town.redeem(partner, browser.code(partner, town.maria, SCOPE, proof), proof).json
    return found


@pytest.fixture
def paused(town: Town) -> tuple[Town, list[dict[str, Any]]]:
    """Maria had used two services on two devices, then stopped everything on one of them."""
    browser = town.browser()
    tokens = [visit(town, town.library, browser), visit(town, town.tax, town.browser())]
    page = browser.get("/privacy/pause").text
    assert "Stop everything" in page
    answer = browser.submit("/privacy/pause")
    assert answer.location == "/paused"
    assert "Everything is stopped" in browser.get("/paused").text
    return town, tokens


def test_everything_is_dead_and_everybody_is_told(paused: tuple[Town, list[dict[str, Any]]]) -> None:
    """Sessions, grants, tokens; the partners by the outbox, the resident by mail, the log by an act."""
    town, tokens = paused
    for one in tokens:
        assert town.userinfo(one["access_token"]).status_code == 401
    assert town.refresh(town.library, tokens[0]["refresh_token"]).json["error"] == "invalid_grant"
    assert all(row.ended_at is not None for row in town.rows(BrowserSession))
    assert all(row.revoked_at is not None for row in town.rows(Grant))
    with town.context.database.reading() as session:
        events = withdrawals.newest_by_client(session, town.maria.resident_id)
        assert {one: matter.event for one, matter in events.items()} == dict.fromkeys(
            ("library", "tax"), "processing-restricted"
        )
        assert [one.actor for one in acts.of_kind(session, "releases_paused")] == ["self"]
    assert [one.to for one in told(town, "releases_paused")] == [town.maria.email]


def test_no_service_gets_anything_until_it_is_lifted(paused: tuple[Town, list[dict[str, Any]]]) -> None:
    """Signing in to the town works; a service gets no code, whatever basis it has, and is told no by the resident."""
    town, _ = paused
    browser = town.browser()
    browser.follow(browser.authorize(town.library, SCOPE, Proof()))
    page = browser.follow(browser.sign_in(town.maria))
    assert "You stopped everything" in page.text
    assert "/privacy/pause" in page.text
    answer = browser.authorize(town.tax, SCOPE, Proof(), prompt="none")
    assert "error=consent_required" in answer.location
    assert all(row.revoked_at is not None for row in town.rows(Grant))


def test_the_way_back_needs_a_fresh_sign_in_and_revives_nothing(
    paused: tuple[Town, list[dict[str, Any]]],
) -> None:
    """What was agreed to before stays dead: each service asks anew."""
    town, tokens = paused
    browser = town.browser()
    browser.get("/login")
    browser.sign_in(town.maria)
    assert "Everything is stopped" in browser.get("/privacy/pause").text
    town.clock.advance(3600)
    assert "/login?again=1" in browser.get("/privacy/pause/end").location
    fresh = town.browser()
    fresh.get("/login")
    fresh.sign_in(town.maria)
    fresh.get("/privacy/pause/end")
    assert fresh.submit("/privacy/pause/end").location == "/privacy"
    assert town.userinfo(tokens[0]["access_token"]).status_code == 401
    assert fresh.get("/privacy/pause/end").location == "/privacy/pause"
    assert [one.to for one in told(town, "releases_resumed")] == [town.maria.email]
    page = fresh.follow(fresh.authorize(town.tax, SCOPE, Proof()))
    assert "Your full name" in page.text, "nothing comes back without being seen"
    again = visit(town, town.tax, fresh)
    assert town.userinfo(again["access_token"]).status_code == 200


def test_it_is_one_residents_own(paused: tuple[Town, list[dict[str, Any]]]) -> None:
    """Nobody else notices; without a sign-in, or without the form, nothing happens."""
    town, _ = paused
    proof = Proof()
    browser = town.browser()
    tokens = town.redeem(town.library, browser.code(town.library, town.jun, SCOPE, proof), proof).json
    assert town.userinfo(tokens["access_token"]).status_code == 200
    stranger = town.app.test_client()
    assert "/login" in stranger.get("/privacy/pause", base_url=ISSUER).location
    assert stranger.post("/privacy/pause", base_url=ISSUER).status_code in {303, 400, 403}
    assert town.userinfo(tokens["access_token"]).status_code == 200
