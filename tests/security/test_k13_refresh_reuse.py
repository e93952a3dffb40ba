"""K13: a refresh token used twice means that two hold it; nobody keeps anything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.nodes import another_node
from tests.support.settled import SCOPE

if TYPE_CHECKING:
    from tests.support.settled import Settled
    from tests.support.town import Partner, Town

PARTNERS = ("library", "tax", "public")


def _chain(town: Town, partner: Partner, first: dict[str, Any], length: int = 3) -> list[dict[str, Any]]:
    """RT1 -> RT2 -> RT3: every answer, the first one included."""
    chain = [first]
    while len(chain) < length:
        answer = town.refresh(partner, chain[-1]["refresh_token"])
        assert answer.status_code == 200, answer.text
        chain.append(answer.json)
    return chain


def _assert_all_dead(town: Town, partner: Partner, chain: list[dict[str, Any]]) -> None:
    for tokens in chain:
        assert town.userinfo(tokens["access_token"]).status_code == 401
        answer = town.refresh(partner, tokens["refresh_token"])
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
        if partner.secret:
            for token in (tokens["access_token"], tokens["refresh_token"]):
                assert town.introspect(partner, token).json == {"active": False}


@pytest.mark.parametrize("reused", [0, 1])
@pytest.mark.parametrize("name", PARTNERS)
def test_reuse_in_the_same_second_kills_the_whole_family(settled: Settled, name: str, reused: int) -> None:
    """RFC 9700 §4.14.2, CVE-2026-9802: access tokens with it, for every kind of client."""
    town = settled.town
    partner = getattr(town, name)
    chain = _chain(town, partner, settled.tokens(partner))
    answer = town.refresh(partner, chain[reused]["refresh_token"])
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    _assert_all_dead(town, partner, chain)


@pytest.mark.parametrize("later", [1, 5, 599])
def test_reuse_later_kills_it_just_as_well(town: Town, later: int) -> None:
    """keycloak#50999: no length of time makes a spent token good or forgotten."""
    chain = _chain(town, town.library, town.tokens(town.library, town.maria, SCOPE))
    town.clock.advance(later)
    assert town.refresh(town.library, chain[0]["refresh_token"]).json["error"] == "invalid_grant"
    _assert_all_dead(town, town.library, chain)


def test_reuse_on_another_node_or_after_a_restart_is_seen(town: Town) -> None:
    """Families are rows, not memory: spent here, reused there; killed there, dead here."""
    chain = _chain(town, town.library, town.tokens(town.library, town.maria, SCOPE))
    with another_node(town) as other:
        answer = other.refresh(town.library, chain[0]["refresh_token"])
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
        _assert_all_dead(other, town.library, chain)
    _assert_all_dead(town, town.library, chain)


def test_other_families_of_the_same_resident_and_client_live_on(settled: Settled) -> None:
    """A second device of the same resident is another run through the authorization endpoint."""
    town = settled.town
    others = settled.tokens(town.library)
    chain = _chain(town, town.library, settled.tokens(town.library), 2)
    town.refresh(town.library, chain[0]["refresh_token"])
    _assert_all_dead(town, town.library, chain)
    assert all(settled.is_alive(town.library, others).values())


def test_reuse_by_another_client_is_no_reuse(settled: Settled) -> None:
    """A stolen token in the wrong hands must not let them end the resident's sign-in either (K15)."""
    town = settled.town
    chain = _chain(town, town.library, settled.tokens(town.library), 2)
    for tokens in chain:
        assert town.refresh(town.tax, tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert all(settled.is_alive(town.library, chain[1]).values())


def test_a_chain_ends_when_its_first_token_would_have(town: Town) -> None:
    """Rotation does not prolong: thirty days from sign-in, to the second (K40)."""
    tokens = town.tokens(town.library, town.maria, SCOPE)
    town.clock.advance(town.settings.tokens.refresh_for - 1)
    tokens = _chain(town, town.library, tokens, 2)[1]
    town.clock.advance(1)
    assert town.refresh(town.library, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_the_log_tells_reuse_from_a_guess(settled: Settled, caplog: pytest.LogCaptureFixture) -> None:
    """ASVS 16.3.3: somebody must be able to see that a family was ended, and why; no token is in the line."""
    town = settled.town
    chain = _chain(town, town.library, settled.tokens(town.library), 2)
    with caplog.at_level(logging.DEBUG):
        town.refresh(town.library, chain[0]["refresh_token"])
    lines = [r.getMessage() for r in caplog.records if r.name == "denizen.oidc"]
    assert any("client=library" in line and "refresh_token_reused" in line for line in lines), lines
    for token in (chain[0]["refresh_token"], chain[1]["refresh_token"], chain[1]["access_token"]):
        assert token not in caplog.text
