"""Refreshing in good faith (RFC 6749 §6, OIDC Core §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from sqlalchemy import update

from idp.accounts.models import Resident
from idp.oidc.models import Grant
from tests.support.settled import SCOPE

if TYPE_CHECKING:
    from tests.support.settled import Settled
    from tests.support.town import Town


def _claims(town: Town, id_token: str) -> dict[str, Any]:
    ring = town.app.extensions["denizen.oidc"].keys.ring
    return dict(jwt.decode(id_token, ring.verify_keys, algorithms=["ES256"]).claims)


def test_a_refresh_token_gives_everything_anew(town: Town) -> None:
    """OIDC Core §12.2: the ID token keeps iss, sub, aud, auth_time; iat is new."""
    first = town.tokens(town.library, town.maria, SCOPE)
    town.clock.advance(100)
    later = town.refresh(town.library, first["refresh_token"]).json
    assert set(later) == set(first)
    for name in ("access_token", "refresh_token", "id_token"):
        assert later[name] != first[name]
    assert later["scope"] == first["scope"]
    before, after = _claims(town, first["id_token"]), _claims(town, later["id_token"])
    same = {"iss", "sub", "aud", "auth_time", "acr", "amr", "sid"}
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    assert after["iat"] == before["iat"] + 100
    assert "nonce" in before
    assert "nonce" not in after  # it belongs to the request that was answered then


def test_the_former_access_token_lives_out_its_own_time(settled: Settled) -> None:
    """Requests under way are not cut off by a refresh."""
    town = settled.town
    first = settled.tokens(town.library)
    town.refresh(town.library, first["refresh_token"])
    assert town.userinfo(first["access_token"]).status_code == 200


def test_a_narrower_scope_may_be_asked_for(settled: Settled) -> None:
    """RFC 6749 §6."""
    town = settled.town
    first = settled.tokens(town.library)
    later = town.refresh(town.library, first["refresh_token"], scope="openid email").json
    assert later["scope"] == "email openid"
    assert set(town.userinfo(later["access_token"]).json) == {"sub", "email", "email_verified"}


def test_narrowing_once_does_not_narrow_for_ever(settled: Settled) -> None:
    """RFC 6749 §6: the scope of a new refresh token MUST be identical to that of the one it replaces."""
    town = settled.town
    first = settled.tokens(town.library)
    later = town.refresh(town.library, first["refresh_token"], scope="openid").json
    again = town.refresh(town.library, later["refresh_token"]).json
    assert set(again["scope"].split()) == set(first["scope"].split())


def test_a_narrower_scope_after_reuse_is_reuse_all_the_same(settled: Settled) -> None:
    """RFC 9700 §4.14.2: no parameter turns the use of a spent token into another mistake."""
    town = settled.town
    first = settled.tokens(town.library)
    later = town.refresh(town.library, first["refresh_token"]).json
    answer = town.refresh(town.library, first["refresh_token"], scope="openid admin")
    assert answer.json["error"] == "invalid_grant"
    assert not any(settled.is_alive(town.library, later).values())


def test_without_offline_access_there_is_no_refresh_token(settled: Settled) -> None:
    """OIDC Core §11."""
    assert "refresh_token" not in settled.tokens(settled.town.library, scope="openid profile")


@pytest.mark.parametrize("ended", ["grant withdrawn", "grant over", "account not active"])
def test_what_has_ended_is_not_refreshed(town: Town, ended: str) -> None:
    """Whatever else ends the family: the grant and the account are looked at each time."""
    first = town.tokens(town.library, town.maria, SCOPE)
    now = int(town.clock())
    statement = {
        "grant withdrawn": update(Grant).values(revoked_at=now),
        "grant over": update(Grant).values(ends_at=now),
        "account not active": update(Resident).values(state="frozen"),
    }[ended]
    with town.context.database.transaction() as session:
        session.execute(statement)
    answer = town.refresh(town.library, first["refresh_token"])
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
