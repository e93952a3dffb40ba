"""Implicit and hybrid, for the clients of old software that registered for them."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from consent.canonical import names
from consent.models import Release
from idp.clients.metadata import Details
from idp.clients.models import ClientRow
from idp.jobs.stamps import CLIENTS, bump
from idp.jose.encoding import half_hash
from idp.oidc.models import AccessToken, Authorization
from tests.support.front import ISSUER, TYPES, Front, new_client, read, settle
from tests.support.settled import footprint
from tests.support.town import Proof

if TYPE_CHECKING:
    from tests.support.town import Town

BESIDE = ("id_token", "id_token token", "code id_token", "code token", "code id_token token")
FIXED = {"iss", "sub", "aud", "iat", "exp", "auth_time", "acr", "amr", "sid", "nonce"}


def _half(value: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def _releases(town: Town) -> list[Any]:
    return sorted(town.rows(Release), key=lambda row: row.id)


@pytest.mark.parametrize("name", ["old", "older", "oldapp"])
@pytest.mark.parametrize("response_type", TYPES)
def test_each_response_type_brings_what_it_names_and_nothing_else(
    front: Front, response_type: str, name: str
) -> None:
    """OIDC Core §3.2.2.5, §3.3.2.5; Multiple Response Types §5: with the half hashes of all that goes with it."""
    told = front.told(name, response_type=response_type).values
    values = response_type.split()
    expected = {"state", "iss", *({"code"} & {*values}), *({"id_token"} & {*values})}
    if "token" in values:
        expected |= {"access_token", "token_type", "expires_in", "scope"}
        assert (told["token_type"], told["expires_in"]) == ("Bearer", "600")
        assert front.town.userinfo(told["access_token"]).json["email"] == "maria@example.org"
    assert set(told) == expected
    assert "refresh_token" not in told
    if "id_token" in values:
        claims = front.opened(told["id_token"], front.clients[name])
        hashes = {"s_hash": _half("st")}
        hashes |= {"c_hash": _half(told["code"])} if "code" in values else {}
        hashes |= {"at_hash": _half(told["access_token"])} if "token" in values else {}
        assert hashes.items() <= claims.items()
        assert claims["nonce"] == "no"
        said = {name for name in claims if name in ("c_hash", "at_hash", "s_hash")}
        assert said == set(hashes)
        told_of = set(claims) - said - FIXED
        assert told_of == (
            {"name", "email", "email_verified", "updated_at"} if values == ["id_token"] else set()
        )


def test_the_values_of_a_response_type_may_stand_in_any_order(front: Front) -> None:
    """RFC 6749 §3.1.1."""
    for asked in ("token id_token code", "id_token code token", "code token id_token"):
        assert {"code", "id_token", "access_token"} <= set(front.told("old", response_type=asked).values)


@pytest.mark.parametrize("response_type", [one for one in BESIDE if "code" in one])
def test_both_id_tokens_of_a_hybrid_flow_are_about_the_same_sign_in(front: Front, response_type: str) -> None:
    """OIDC Core §3.3.3.6: the same issuer and subject, and ours say the same of time, level and session."""
    proof = Proof()
    told = front.told("old", response_type=response_type, code_challenge=proof.challenge).values
    answer = front.town.redeem(front.clients["old"], told["code"], proof)
    assert answer.status_code == 200, answer.text
    behind = front.opened(answer.json["id_token"], front.clients["old"])
    assert behind["nonce"] == "no"
    assert behind["at_hash"] == _half(answer.json["access_token"])
    if "id_token" in told:
        before = front.opened(told["id_token"], front.clients["old"])
        same = FIXED - {"iat", "exp"}
        assert {name: behind[name] for name in same} == {name: before[name] for name in same}
    if "access_token" in told:
        assert told["access_token"] != answer.json["access_token"]
        assert (
            front.town.userinfo(told["access_token"]).json
            == front.town.userinfo(answer.json["access_token"]).json
        )


def test_an_id_token_through_the_browser_needs_a_nonce(front: Front) -> None:
    """OIDC Core §3.2.2.1, §3.3.2.11; for codes and `code token` it stays optional."""
    before = footprint(front.town)
    for response_type in BESIDE:
        if "id_token" in response_type:
            told = front.told("old", response_type=response_type, nonce=None)
            assert (told.carrier, told.values["error"]) == ("fragment", "invalid_request")
    assert footprint(front.town) == before
    for response_type in ("code", "code token"):
        assert "code" in front.told("old", response_type=response_type, nonce=None).values


def test_a_type_is_refused_that_nobody_knows_or_that_this_client_may_not_have(front: Front) -> None:
    """RFC 6749 §4.1.2.1: unsupported_response_type, unauthorized_client; nothing is minted."""
    before = footprint(front.town)
    for response_type in ("token", "none", "code none", "code code", "Code", "fish", "id_token id_token"):
        assert front.told("old", response_type=response_type).values["error"] == "unsupported_response_type"
    for response_type in BESIDE:
        told = front.told("new", response_type=response_type)
        assert (told.carrier, told.values["error"]) == ("fragment", "unauthorized_client")
    assert footprint(front.town) == before


def test_offline_access_is_for_codes_and_the_front_channel_has_no_refresh_tokens(front: Front) -> None:
    """OIDC Core §11."""
    settle(front.town, front.browser, front.clients["old"], "openid offline_access")
    scope = "openid profile offline_access"
    told = front.told("old", response_type="id_token token", scope=scope).values
    assert told["scope"] == "openid profile"
    assert "refresh_token" not in told
    proof = Proof()
    told = front.told(
        "old", response_type="code id_token token", scope=scope, code_challenge=proof.challenge
    ).values
    assert "refresh_token" not in told
    assert "refresh_token" in front.town.redeem(front.clients["old"], told["code"], proof).json


def test_what_the_front_channel_releases_is_on_record_like_any_release(front: Front) -> None:
    """The ID token with the claims in it; what userinfo gives for a token of the browser, at its first use."""
    known = len(_releases(front.town))
    told = front.told("old", response_type="id_token").values
    (new,) = _releases(front.town)[known:]
    claims = front.opened(told["id_token"], front.clients["old"])
    assert (new.client_id, new.kind, new.resident_id) == ("old", "id_token", front.town.maria.resident_id)
    assert {"name", "email"} <= set(names(new.claims))
    assert set(names(new.claims)) == set(claims) - FIXED - {"s_hash"}
    assert new.purpose_ids
    told = front.told("old", response_type="id_token token").values
    assert [names(row.claims) for row in _releases(front.town)[known + 1 :]] == [()]
    front.town.userinfo(told["access_token"])
    assert [row.kind for row in _releases(front.town)[known + 1 :]] == ["id_token", "userinfo"]
    front.told("old", response_type="code token")
    assert len(_releases(front.town)) == known + 3


def test_the_id_token_says_no_more_than_the_resident_agreed_to(town_both_ways: Town) -> None:
    """OIDC Core §5.4 under the same rules as userinfo: an optional claim that was not ticked is left out."""
    town = town_both_ways
    partner = town.add_client(
        new_client("shy", details=Details(response_types=TYPES)), required=("name",), optional=("email",)
    )
    town.fresh()
    browser = town.browser()
    browser.follow(browser.authorize(partner, "openid profile email", Proof(), response_type="id_token"))
    browser.follow(browser.sign_in(town.maria))
    answer = browser.allow(share=[])

    told = read(answer).values
    claims = Front(town, browser, {}).opened(told["id_token"], partner)
    assert claims["name"] == "Maria Okafor"
    assert "email" not in claims


@pytest.mark.parametrize("end", ["withdrawal", "sign-out", "replay"])
def test_tokens_of_the_browser_end_with_their_family(town_both_ways: Town, end: str) -> None:
    """With what was agreed, with the session (as far as no code outlives it), with a replayed code (RFC 6749 §4.1.2)."""
    town = town_both_ways
    partner = town.add_client(
        new_client("old", details=Details(response_types=TYPES)), basis="public_task", required=("name",)
    )
    town.fresh()
    browser, proof = town.browser(), Proof()
    front = Front(town, browser, {"old": partner})
    settle(town, browser, partner)
    told = front.told("old", response_type="code token", code_challenge=proof.challenge).values
    alone = front.told("old", response_type="id_token token").values["access_token"]
    tokens = [told["access_token"], alone]
    assert [town.userinfo(one).status_code for one in tokens] == [200, 200]
    if end == "replay":
        assert town.redeem(partner, told["code"], proof).status_code == 200
        assert town.redeem(partner, told["code"], proof).status_code == 400
        assert [town.userinfo(one).status_code for one in tokens] == [401, 200]
        return
    if end == "withdrawal":
        with town.context.database.transaction() as session:
            from idp.oidc.service import revoke_grants

            revoke_grants(session, town.maria.resident_id, client_id="old", now=int(town.clock()))
    else:
        browser.get("/logout")
        browser.submit("/logout")
    assert [town.userinfo(one).status_code for one in tokens] == [401, 401]


def test_the_end_of_one_token_at_revocation_is_its_own(front: Front) -> None:
    """RFC 7009 §2.1: a client may end a token that came through the browser."""
    token = front.told("old", response_type="id_token token").values["access_token"]
    assert front.town.introspect(front.clients["old"], token).json["active"]
    assert front.town.call("/revoke", front.clients["old"], {"token": token}).status_code == 200
    assert front.town.userinfo(token).status_code == 401


def test_without_a_code_there_is_none_that_could_be_redeemed(front: Front) -> None:
    """The row of such a family has the hash of a code that nobody knows and that ended when it was made."""
    front.told("old", response_type="id_token token")
    with front.town.context.database.reading() as session:
        row = session.execute(select(Authorization).order_by(Authorization.id.desc()).limit(1)).scalar_one()
    assert row.code_expires_at == row.created_at
    assert row.spent_at is None


def test_a_client_whose_tokens_are_bound_gets_none_through_the_browser(town_both_ways: Town) -> None:
    """No key is proven at the authorization endpoint (RFC 9449 §5): an ID token and a code are all it can have."""
    town = town_both_ways
    details = Details(response_types=TYPES, dpop_bound_access_tokens=True)
    partner = town.add_client(new_client("bound", details=details), basis="public_task", required=("name",))
    town.fresh()
    browser = town.browser()
    settle(town, browser, partner)
    front = Front(town, browser, {"bound": partner})
    for response_type in ("id_token token", "code token", "code id_token token"):
        assert front.told("bound", response_type=response_type).values["error"] == "unauthorized_client"
    assert {"code", "id_token"} <= set(front.told("bound", response_type="code id_token").values)


def test_a_request_that_waits_is_judged_by_what_its_client_may_have_when_it_is_answered(
    town_both_ways: Town,
) -> None:
    """Old software that was replaced meanwhile gets no token through the browser any more, and is told so."""
    town = town_both_ways
    partner = town.add_client(
        new_client("old", details=Details(response_types=TYPES)), basis="public_task", required=("name",)
    )
    town.fresh()
    browser = town.browser()
    browser.follow(browser.authorize(partner, "openid", Proof(), response_type="id_token token"))
    with town.context.database.transaction() as session:
        session.execute(update(ClientRow).where(ClientRow.client_id == "old").values(profile="standard"))
        bump(session, CLIENTS)
    town.fresh()
    browser.follow(browser.sign_in(town.maria))
    told = read(browser.allow())
    assert (told.carrier, told.values["error"]) == ("fragment", "unauthorized_client")
    assert town.rows(AccessToken) == []


def test_a_token_of_the_browser_is_for_the_api_that_was_named(town_both_ways: Town) -> None:
    """RFC 8707 §2.1: narrowed like any other, and invalid_target when none of the scopes is for it."""
    from idp.clients.metadata import NewClient

    town = town_both_ways
    api = NewClient(
        "API",
        client_id="api",
        grant_types=("client_credentials",),
        scopes=("x",),
        protects_scopes=("tax:read",),
        details=Details(resource="https://api.example/", access_token_format="jwt"),
    )
    town.add_client(api, basis=None)
    partner = town.add_client(
        new_client("old", details=Details(response_types=TYPES)), basis="public_task", required=("name",)
    )
    town.fresh()
    browser = town.browser()
    settle(town, browser, partner, "openid tax:read")
    front = Front(town, browser, {"old": partner})
    resource = "https://api.example/"
    told = front.told(
        "old", response_type="id_token token", scope="openid tax:read", resource=resource
    ).values
    assert told["scope"] == "tax:read"
    claims = front.opened(told["access_token"], partner)
    assert (claims["aud"], claims["scope"], claims["iss"]) == (resource, "tax:read", ISSUER)
    before = footprint(town)
    told = front.told("old", response_type="id_token token", scope="openid", resource=resource).values
    assert told["error"] == "invalid_target"
    assert footprint(town) == before


def test_a_request_without_openid_is_oauth_and_no_sign_in(town_both_ways: Town) -> None:
    """OIDC Core §3.1.2.1 leaves it open; RFC 6749: an access token for an API, no ID token, nothing from userinfo."""
    town = town_both_ways
    partner = town.add_client(
        new_client("old", details=Details(response_types=TYPES)), basis="public_task", required=("name",)
    )
    town.fresh()
    proof = Proof()
    browser = town.browser()
    code = browser.code(partner, town.maria, "tax:read offline_access", proof)
    tokens = town.redeem(partner, code, proof).json
    assert "id_token" not in tokens
    assert tokens["scope"] == "offline_access tax:read"
    assert town.userinfo(tokens["access_token"]).status_code == 403
    assert "id_token" not in town.refresh(partner, tokens["refresh_token"]).json
    assert _releases(town) == []

    front = Front(town, browser, {"old": partner})
    told = front.told("old", response_type="id_token token", scope="tax:read").values
    assert told["error"] == "invalid_scope"
    assert front.told("old", scope="fish").values["error"] == "invalid_scope"
    assert front.told("old", scope=None).values["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("alg", "length"),
    [("ES256", 22), ("RS256", 22), ("PS256", 22), ("ES384", 32), ("EdDSA", 43), ("Ed25519", 43)],
)
def test_half_hashes_are_of_the_hash_of_the_algorithm(alg: str, length: int) -> None:
    """OIDC Core §3.1.3.6; the example of its appendix A.3."""
    assert len(half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", alg)) == length
    assert half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"


def test_discovery_names_the_types_and_the_implicit_grant(front: Front) -> None:
    """OIDC Discovery §3."""
    found = front.browser.get("/.well-known/openid-configuration").json
    assert found["response_types_supported"] == list(TYPES)
    assert "implicit" in found["grant_types_supported"]
