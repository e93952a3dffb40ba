"""Ending tokens at their client's wish (RFC 7009)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.settled import footprint

if TYPE_CHECKING:
    from tests.support.settled import Settled


def test_an_access_token_ends_by_itself(settled: Settled) -> None:
    """RFC 7009 §2.1: its siblings and its refresh token live on."""
    town = settled.town
    tokens = settled.tokens(town.library)
    later = town.refresh(town.library, tokens["refresh_token"]).json
    answer = town.call("/revoke", town.library, {"token": tokens["access_token"]})
    assert (answer.status_code, answer.data) == (200, b"")
    assert town.userinfo(tokens["access_token"]).status_code == 401
    assert town.introspect(town.library, tokens["access_token"]).json == {"active": False}
    assert all(settled.is_alive(town.library, later).values())


@pytest.mark.parametrize("name", ["library", "tax", "public"])
def test_a_refresh_token_ends_with_every_token_of_its_family(settled: Settled, name: str) -> None:
    """RFC 7009 §2.1: SHOULD also invalidate all access tokens based on the same authorization grant."""
    town = settled.town
    partner = getattr(town, name)
    tokens = settled.tokens(partner)
    later = town.refresh(partner, tokens["refresh_token"]).json
    assert town.call("/revoke", partner, {"token": later["refresh_token"]}).status_code == 200
    for each in (tokens, later):
        assert town.userinfo(each["access_token"]).status_code == 401
        assert town.refresh(partner, each["refresh_token"]).json["error"] == "invalid_grant"


def test_a_spent_refresh_token_still_ends_its_family(settled: Settled) -> None:
    """A client that lost track of the newest one can still sign out."""
    town = settled.town
    tokens = settled.tokens(town.library)
    later = town.refresh(town.library, tokens["refresh_token"]).json
    town.call("/revoke", town.library, {"token": tokens["refresh_token"]})
    assert not any(settled.is_alive(town.library, later).values())


def test_what_the_resident_agreed_to_stands(settled: Settled) -> None:
    """A client that throws its tokens away withdraws nobody's consent: the next code needs no question."""
    town = settled.town
    town.call("/revoke", town.library, {"token": settled.tokens(town.library)["refresh_token"]})
    assert all(settled.is_alive(town.library, settled.tokens(town.library)).values())


def test_a_clients_own_token_can_be_revoked(settled: Settled) -> None:
    """So can the token of a client that acts for itself."""
    town = settled.town
    token = town.call("/token", town.service, {"grant_type": "client_credentials"}).json["access_token"]
    assert town.introspect(town.service, token).json["active"] is True
    town.call("/revoke", town.service, {"token": token, "token_type_hint": "access_token"})
    assert town.introspect(town.service, token).json == {"active": False}


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "fish", "\0"])
def test_a_wrong_hint_does_not_matter(settled: Settled, hint: str) -> None:
    """RFC 7009 §2.1: the search is extended over all kinds of tokens."""
    town = settled.town
    tokens = settled.tokens(town.library)
    town.call("/revoke", town.library, {"token": tokens["refresh_token"], "token_type_hint": hint})
    assert not any(settled.is_alive(town.library, tokens).values())


@pytest.mark.parametrize("token", ["x", "x" * 43, "é😀", "a\0b", "e30.e30.c2ln"])
def test_an_unknown_token_is_answered_as_if_it_had_ended(settled: Settled, token: str) -> None:
    """RFC 7009 §2.2: 200, for the purpose is achieved; again and again."""
    before = footprint(settled.town)
    for _ in range(2):
        assert settled.town.call("/revoke", settled.town.library, {"token": token}).status_code == 200
    assert footprint(settled.town) == before


def test_the_token_must_be_given(settled: Settled) -> None:
    """RFC 7009 §2.1: required."""
    answer = settled.town.call("/revoke", settled.town.library, {})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
