"""Who learns what about a token (RFC 7662)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.clients.models import ClientRow
from idp.clients.service import NewClient
from idp.jobs.stamps import CLIENTS, bump
from tests.support.settled import footprint
from tests.support.town import ISSUER, START, Proof

if TYPE_CHECKING:
    from tests.support.settled import Settled
    from tests.support.town import Town

FULL = "openid profile email offline_access tax:read"


@pytest.fixture(scope="session")
def taxed(settled: Settled) -> Settled:
    """The library may ask with the tax service's scope, too; Maria has agreed to that once."""
    settled.browser.code(settled.town.library, settled.town.maria, FULL, Proof())
    return settled


def test_its_own_client_learns_everything_about_a_token(taxed: Settled) -> None:
    """RFC 7662 §2.2."""
    town = taxed.town
    tokens = taxed.tokens(town.library, scope=FULL)
    answer = town.introspect(town.library, tokens["access_token"])
    found = answer.json
    assert found.pop("sub") == town.userinfo(tokens["access_token"]).json["sub"]
    assert set(found.pop("scope").split()) == set(FULL.split())
    assert found == {
        "active": True,
        "iss": ISSUER,
        "client_id": "library",
        "aud": "library",
        "token_type": "Bearer",
        "iat": START,
        "exp": START + town.settings.tokens.access_for,
        "auth_time": START,
        "acr": "basic",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_resource_server_learns_about_its_own_scopes_alone(taxed: Settled) -> None:
    """RFC 9701 §8.1, data minimisation: the tax service does not learn that the library reads the profile."""
    town = taxed.town
    token = taxed.tokens(town.library, scope=FULL)["access_token"]
    found = town.introspect(town.service, token).json
    assert (found["active"], found["scope"], found["client_id"]) == (True, "tax:read", "library")
    assert found["aud"] == "tax-service"


def test_each_asker_knows_the_resident_by_its_own_pseudonym(taxed: Settled) -> None:
    """OIDC Core §8.1: two partners that compare answers about one token cannot join their records."""
    town = taxed.town
    token = taxed.tokens(town.library, scope=FULL)["access_token"]
    again = taxed.tokens(town.library, scope=FULL)["access_token"]
    one, other = town.introspect(town.library, token).json, town.introspect(town.service, token).json
    assert one["sub"] != other["sub"]
    assert other["sub"] == town.introspect(town.service, again).json["sub"]
    assert town.maria.resident_id not in (one["sub"], other["sub"])


def test_an_asker_knows_its_own_residents_even_after_its_sector_has_changed(town: Town) -> None:
    """OIDC Core §8.1: an API that signs residents in itself finds them again in the tokens of others."""
    grants, scopes = ("authorization_code",), ("openid", "profile", "tax:read")
    office = NewClient(
        "Office", ("https://o.example/cb",), client_id="o", scopes=scopes, protects_scopes=("tax:read",)
    )
    app = NewClient("App", ("https://a.example/cb",), client_id="a", scopes=scopes, grant_types=grants)
    asker, holder = (town.add_client(new, basis="public_task", required=("name",)) for new in (office, app))
    town.fresh()
    known = town.userinfo(town.tokens(asker, town.maria, "openid")["access_token"]).json["sub"]
    with town.context.database.transaction() as session:
        session.get_one(ClientRow, "o").sector = "elsewhere.example"
        bump(session, CLIENTS)
    town.fresh()
    token = town.tokens(holder, town.maria, "openid tax:read")["access_token"]
    assert town.introspect(asker, token).json["sub"] == known


def _take_away(town: Town, *scopes: str) -> None:
    with town.context.database.transaction() as session:
        row = session.get_one(ClientRow, "app")
        row.scopes = [one for one in row.scopes if one not in scopes]
        bump(session, CLIENTS)
    town.fresh()


def test_a_scope_that_is_taken_from_a_client_ends_in_the_tokens_that_it_has(town: Town) -> None:
    """RFC 6749 §1.5, least privilege: at introspection, userinfo and refresh at once; nothing is minted for nothing."""
    scopes = ("openid", "profile", "offline_access", "tax:read")
    grants = ("authorization_code", "refresh_token")
    app = NewClient("App", ("https://app.example/cb",), client_id="app", scopes=scopes, grant_types=grants)
    partner = town.add_client(app, basis="public_task", required=("name",))
    town.fresh()
    tokens = town.tokens(partner, town.maria, " ".join(scopes))
    assert "name" in town.userinfo(tokens["access_token"]).json
    assert town.introspect(town.service, tokens["access_token"]).json["scope"] == "tax:read"
    _take_away(town, "profile", "tax:read")
    assert town.userinfo(tokens["access_token"]).json.keys() == {"sub"}
    assert town.introspect(town.service, tokens["access_token"]).json == {"active": False}
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert set(town.introspect(partner, token).json["scope"].split()) == {"openid", "offline_access"}
    wider = town.refresh(partner, tokens["refresh_token"], scope="openid profile")
    assert wider.json["error"] == "invalid_scope"
    tokens = town.refresh(partner, tokens["refresh_token"]).json
    assert set(tokens["scope"].split()) == {"openid", "offline_access"}
    assert town.userinfo(tokens["access_token"]).json.keys() == {"sub"}
    _take_away(town, "openid")
    tokens = town.refresh(partner, tokens["refresh_token"]).json
    assert "id_token" not in tokens
    _take_away(town, "offline_access")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert town.introspect(partner, token).json == {"active": False}
    assert town.refresh(partner, tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_a_code_gives_no_scope_that_was_taken_from_its_client_meanwhile(town: Town) -> None:
    """As above; a code for which nothing is left waits, and is not spent."""
    app = NewClient("App", ("https://app.example/cb",), client_id="app", scopes=("openid", "tax:read"))
    partner = town.add_client(app, basis="public_task", required=("name",))
    town.fresh()
    both, proof = Proof(), Proof()
    code = town.browser().code(partner, town.maria, "openid tax:read", both)
    alone = town.browser().code(partner, town.maria, "tax:read", proof)
    _take_away(town, "tax:read")
    assert town.redeem(partner, code, both).json["scope"] == "openid"
    assert town.redeem(partner, alone, proof).json["error"] == "invalid_scope"


def test_a_token_without_the_resource_servers_scope_is_none_of_its_business(taxed: Settled) -> None:
    """RFC 7662 §4."""
    token = taxed.tokens(taxed.town.library)["access_token"]
    assert taxed.town.introspect(taxed.town.service, token).json == {"active": False}


def test_a_refresh_token_is_shown_to_its_own_client(taxed: Settled) -> None:
    """And to nobody else, not even the resource server whose scope it could renew."""
    town = taxed.town
    tokens = taxed.tokens(town.library, scope=FULL)
    found = town.introspect(town.library, tokens["refresh_token"]).json
    assert (found["active"], found["client_id"]) == (True, "library")
    assert found["exp"] == START + town.settings.tokens.refresh_for
    assert "token_type" not in found
    assert town.introspect(town.service, tokens["refresh_token"]).json == {"active": False}
    town.refresh(town.library, tokens["refresh_token"])
    assert town.introspect(town.library, tokens["refresh_token"]).json == {"active": False}


@pytest.mark.parametrize("token", ["x", "x" * 43, "é😀", "a\0b", "e30.e30.c2ln", " ", "x" * 9000])
def test_what_is_no_token_is_inactive(settled: Settled, token: str) -> None:
    """RFC 7662 §2.2: no error, so that nothing can be told from the kind of refusal."""
    before = footprint(settled.town)
    answer = settled.town.introspect(settled.town.library, token)
    assert (answer.status_code, answer.json) == (200, {"active": False})
    assert footprint(settled.town) == before


def test_the_token_must_be_given(settled: Settled) -> None:
    """RFC 7662 §2.1: required."""
    for form in ({}, {"token": ""}):
        answer = settled.town.call("/introspect", settled.town.library, form)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_asking_changes_nothing(settled: Settled) -> None:
    """Nothing is spent or released by looking."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        town.introspect(town.library, token)
    assert footprint(town) == before
