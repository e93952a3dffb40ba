"""K15: a token gives what was granted, to whom it was granted, where it is sent as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.settled import footprint
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from tests.support.settled import Settled

WIDER = (
    "openid profile email residence offline_access tax:read",
    "tax:read",
    "openid admin",
    "openid phone",
    "reports:write",
    "OPENID",
    "openid\tadmin",
    "openid,email",
    "*",
)


@pytest.mark.parametrize("scope", WIDER)
def test_refreshing_never_widens(settled: Settled, scope: str) -> None:
    """RFC 6749 §6; nothing is spent by the attempt."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    answer = town.refresh(town.library, tokens["refresh_token"], scope=scope)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
    assert footprint(town) == before
    answer = town.refresh(town.library, tokens["refresh_token"])
    assert answer.json["scope"] == tokens["scope"]


def test_what_was_left_out_once_does_not_come_back_through_a_narrower_access_token(settled: Settled) -> None:
    """The claims follow the scope of the very token, however much the family may have (RFC 9700 §2.3)."""
    town = settled.town
    tokens = settled.tokens(town.library)
    narrow = town.refresh(town.library, tokens["refresh_token"], scope="openid").json
    assert narrow["scope"] == "openid"
    assert set(town.userinfo(narrow["access_token"]).json) == {"sub"}
    assert town.introspect(town.library, narrow["access_token"]).json["scope"] == "openid"


def test_naming_claims_or_permissions_at_the_token_endpoint_opens_nothing(settled: Settled) -> None:
    """OIDC Core §5.5, RFC 9396 §6: what is asked for by name is asked of the resident, not behind their back."""
    town = settled.town
    tokens = settled.tokens(town.library, scope="openid offline_access")
    claims = '{"userinfo": {"email": null, "name": null}, "id_token": {"email": null}}'
    later = town.refresh(town.library, tokens["refresh_token"], claims=claims).json
    assert set(town.userinfo(later["access_token"]).json) == {"sub"}
    before = footprint(town)
    details = '[{"type": "tax_return"}]'
    answer = town.refresh(town.library, later["refresh_token"], authorization_details=details)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_authorization_details")
    assert footprint(town) == before


@pytest.mark.parametrize("resource", ["https://tax.example/api", "library", "tax-service"])
def test_asking_for_another_resource_opens_nothing(settled: Settled, resource: str) -> None:
    """RFC 8707 §2: a resource that this client may not use is `invalid_target`, and costs nobody anything."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    answer = town.refresh(town.library, tokens["refresh_token"], resource=resource, audience=resource)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
    assert footprint(town) == before
    later = town.refresh(town.library, tokens["refresh_token"], audience=resource).json
    assert town.introspect(town.library, later["access_token"]).json["aud"] == "library"
    for stranger in (town.tax, town.service):
        assert town.introspect(stranger, later["access_token"]).json == {"active": False}


@pytest.mark.parametrize("thief", ["tax", "public"])
def test_another_clients_refresh_token_is_worth_nothing(settled: Settled, thief: str) -> None:
    """RFC 6749 §6, CVE-2024-52287: bound to the client; its owner is not harmed by the attempt."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    answer = town.refresh(getattr(town, thief), tokens["refresh_token"])
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert footprint(town) == before
    assert town.refresh(town.library, tokens["refresh_token"]).status_code == 200


def test_tokens_of_one_kind_are_worth_nothing_as_another(settled: Settled) -> None:
    """CVE-2022-1245: an access token refreshes nothing, a refresh or ID token opens nothing."""
    town = settled.town
    tokens = settled.tokens(town.library)
    before = footprint(town)
    for name in ("access_token", "id_token"):
        answer = town.refresh(town.library, tokens[name])
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    for name in ("refresh_token", "id_token"):
        assert town.userinfo(tokens[name]).status_code == 401
    assert footprint(town) == before


def test_a_token_without_openid_reads_no_userinfo(settled: Settled) -> None:
    """OIDC Core §5.3: userinfo belongs to OpenID requests; RFC 6750 §3.1 insufficient_scope."""
    town = settled.town
    tokens = settled.tokens(town.library)
    narrow = town.refresh(town.library, tokens["refresh_token"], scope="profile email").json
    assert "id_token" not in narrow
    before = footprint(town)
    answer = town.userinfo(narrow["access_token"])
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert footprint(town) == before


def test_a_clients_own_token_says_nothing_about_a_resident(settled: Settled) -> None:
    """RFC 9700 §4.15: no token of a client is taken for one of a resident."""
    town = settled.town
    token = town.call("/token", town.service, {"grant_type": "client_credentials"}).json["access_token"]
    assert town.userinfo(token).status_code == 401
    found = town.introspect(town.service, token).json
    assert found["sub"] == "tax-service"
    assert "auth_time" not in found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_in_the_address_is_not_read(settled: Settled, method: str) -> None:
    """RFC 9700 §4.3.2, OAuth 2.1 §5.1.1: not even beside a good one is it looked at."""
    town = settled.town
    token = settled.tokens(town.library)["access_token"]
    client = town.app.test_client(use_cookies=False)
    before = footprint(town)
    answer = client.open(f"/userinfo?access_token={token}", method=method, base_url=ISSUER)
    assert answer.status_code == 401
    assert footprint(town) == before


def test_a_token_sent_in_two_ways_is_refused(settled: Settled) -> None:
    """RFC 6750 §2: clients MUST NOT use more than one method."""
    town = settled.town
    token = settled.tokens(town.library)["access_token"]
    answer = town.app.test_client(use_cookies=False).post(
        "/userinfo",
        data={"access_token": token},
        headers={"Authorization": f"Bearer {token}"},
        base_url=ISSUER,
    )
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_another_clients_id_token_is_no_hint_for_this_one(settled: Settled) -> None:
    """RP-Initiated Logout §2: client_id must be the one to which the hint was issued; the session lives."""
    town = settled.town
    hint = settled.tokens(town.tax)["id_token"]
    query = {"id_token_hint": hint, "client_id": "library"}
    answer = settled.browser.get("/logout", query_string=query)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert settled.code(town.library, _proof())


def test_a_hint_opens_no_other_clients_way_back(settled: Settled) -> None:
    """RP-Initiated Logout §3: the way back must be registered by the client of the hint, not by any client."""
    town = settled.town
    query = {
        "id_token_hint": settled.tokens(town.tax)["id_token"],
        "post_logout_redirect_uri": "https://rp.example/bye",
    }
    answer = town.browser().get("/logout", query_string=query)  # nobody is signed in there
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    assert "post_logout_redirect_uri" in answer.text


def _proof() -> object:
    from tests.support.town import Proof

    return Proof()
