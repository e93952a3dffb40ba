"""K13: a refresh token used twice means that two hold it; nobody keeps anything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.nodes import another_node
from tests.support.profiles import LASTING, ROTATING
from tests.support.settled import SCOPE, footprint
from tests.support.town import Proof, choices

if TYPE_CHECKING:
    from tests.support.front import Front
    from tests.support.profiles import Pair
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


def _given(pair: Pair) -> dict[str, Any]:
    proof = Proof()
    answer = pair.redeem(pair.owner, pair.code(proof), proof)
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("reused", [0, 1])
@pytest.mark.parametrize("profile", ROTATING)
def test_reuse_kills_the_whole_family_in_every_profile_that_rotates(
    pairs: dict[str, Pair], profile: str, reused: int
) -> None:
    """Old software is no exception, nor whoever proves itself with a key."""
    pair = pairs[profile]
    chain = [_given(pair)]
    while len(chain) < 3:
        chain.append(pair.refresh(pair.owner, chain[-1]).json)
    assert pair.is_good(chain[0])
    assert pair.refresh(pair.owner, chain[reused]).json["error"] == "invalid_grant"
    for tokens in chain:
        assert not pair.is_good(tokens)
        assert not pair.is_active(tokens["access_token"]) | pair.is_active(tokens["refresh_token"])
        assert pair.refresh(pair.owner, tokens).json["error"] == "invalid_grant"


@pytest.mark.parametrize("profile", LASTING)
def test_a_refresh_token_that_is_not_spent_is_no_use_to_others_and_leaves_no_second_one(
    pairs: dict[str, Pair], profile: str
) -> None:
    """FAPI 2.0 §5.3.2.1: it stays the one there is, good with the proof of its own client alone."""
    pair = pairs[profile]
    first = _given(pair)
    for _ in range(3):
        again = pair.refresh(pair.owner, first)
        assert (again.status_code, "refresh_token" in again.json) == (200, False)
        assert pair.is_good(again.json)
        before = footprint(pair.proving.town)
        assert pair.refresh(pair.thief, first).json["error"] == "invalid_grant"
        assert footprint(pair.proving.town) == before
    assert pair.is_good(first)


def test_reuse_kills_what_came_through_the_browser_as_well(front: Front) -> None:
    """Profile legacy: the token beside the code is of the same family."""
    town, proof, old = front.town, Proof(), front.clients["old"]
    asked = {"response_type": "code token", "scope": "openid profile email offline_access", "nonce": "n"}
    challenge = {"code_challenge": proof.challenge, "prompt": "consent"}
    answer = front.browser.follow(front.ask("old", **asked, **challenge))
    told = front.read(front.browser.allow(share=choices(answer.text)), old)
    beside = told.values["access_token"]
    chain = _chain(town, old, town.redeem(old, told.values["code"], proof).json, 2)
    assert town.userinfo(beside).status_code == 200
    assert town.refresh(old, chain[0]["refresh_token"]).json["error"] == "invalid_grant"
    assert town.userinfo(beside).status_code == 401
    _assert_all_dead(town, old, chain)


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
