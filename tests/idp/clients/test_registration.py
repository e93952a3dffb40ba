"""Registering clients: what is refused, what is kept, how soon it counts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.metadata import DEVICE_GRANT, Details
from idp.clients.models import ClientRow
from idp.clients.service import ClientRefused, NewClient, demand_level, disable_client
from idp.db import Database
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from tests.support.town import Town

GOOD = NewClient("Pool", ("https://pool.example/cb",), client_id="pool")

REFUSED: dict[str, dict[str, Any]] = {
    "no redirect URI": {"redirect_uris": ()},
    "a bad redirect URI": {"redirect_uris": ("https://pool.example/cb", "http://pool.example/cb")},
    "a bad way back from signing out": {"post_logout_redirect_uris": ("javascript:alert(1)",)},
    "an unknown way of authentication": {"token_endpoint_auth_method": "private_key_jwt"},
    "an unknown grant": {"grant_types": ("authorization_code", "password")},
    "implicit": {"grant_types": ("implicit",)},
    "no grant": {"grant_types": ()},
    "a public client of its own": {
        "token_endpoint_auth_method": "none",
        "grant_types": ("client_credentials",),
    },
    "algorithm none": {"id_token_signed_response_alg": "none"},
    "a symmetric algorithm": {"id_token_signed_response_alg": "HS256"},
    "a scope with a space": {"scopes": ("openid admin",)},
    "a scope with a quote": {"scopes": ('openid"',)},
    "an empty scope": {"scopes": ("",)},
    "a scope with a line break": {"scopes": ("openid\n",)},
    "a protected scope with a space": {"protects_scopes": ("tax:read tax:write",)},
    "an unknown kind of application": {"application_type": "desktop"},
    "a scheme of its own for a web client": {"redirect_uris": ("com.example.app:/cb",)},
    "a list of addresses without any": {
        "grant_types": (DEVICE_GRANT,),
        "redirect_uris": (),
        "details": Details(sector_identifier_uri="https://pool.example/sector"),
    },
}


def test_metadata_that_cannot_be_honoured_is_refused(town: Town) -> None:
    """RFC 7591 §3.2.2 in our own words; nothing is written."""
    before = len(town.rows(ClientRow))
    for change in REFUSED.values():
        with pytest.raises(ClientRefused):
            town.add_client(replace(GOOD, **change), basis=None)
    assert len(town.rows(ClientRow)) == before


def test_the_secret_is_given_once_and_kept_as_a_hash(town: Town) -> None:
    """ASVS 11.4.1, 13.3: 256 random bits, so a plain digest is enough."""
    partner = town.add_client(GOOD, basis=None)
    row = next(row for row in town.rows(ClientRow) if row.client_id == "pool")
    assert partner.secret is not None
    assert len(partner.secret) == 43
    assert row.secret_hash == hashlib.sha256(partner.secret.encode()).digest()
    public = town.add_client(
        replace(GOOD, client_id="public-pool", token_endpoint_auth_method="none"), basis=None
    )
    assert public.secret is None


def test_a_new_client_counts_and_a_disabled_one_no_longer(town: Town) -> None:
    """Design: within a second across nodes; for the process that looks again, at once."""
    partner = town.add_client(GOOD, basis="public_task")
    town.fresh()
    assert town.tokens(partner, town.maria, "openid")
    with town.context.database.transaction() as session:
        assert disable_client(session, "pool", now=1)
        assert not disable_client(session, "nobody", now=1)
    town.fresh()
    answer = town.browser().authorize(partner, "openid", Proof())
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def _subject(town: Town, **change: Any) -> str:
    new = replace(GOOD, **{"client_id": f"pool-{len(town.rows(ClientRow))}", **change})
    partner = town.add_client(new, basis="public_task")
    town.fresh()
    found: str = town.userinfo(town.tokens(partner, town.maria, "openid")["access_token"]).json["sub"]
    return found


def test_services_of_one_host_know_the_same_subject_and_others_do_not(town: Town) -> None:
    """OIDC Core §8.1: the sector is the host of the redirect URIs."""
    one, other = _subject(town), _subject(town, redirect_uris=("https://pool.example/other",))
    assert one == other
    assert _subject(town, redirect_uris=("https://gym.example/cb",)) != one
    assert _subject(town, redirect_uris=("https://gym.example/cb",), sector="pool.example") == one


def test_apps_on_a_residents_own_machine_share_no_sector(town: Town) -> None:
    """Every native app's host is the loopback address: that must not let their partners join what they know."""
    native = {
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ("http://127.0.0.1/callback",),
    }
    assert _subject(town, **native) != _subject(town, **native)
    scheme = {**native, "redirect_uris": ("com.example.app:/cb",)}
    assert _subject(town, **scheme) != _subject(town, **scheme)


def test_a_host_that_an_app_writes_behind_its_own_scheme_gives_it_no_sector(town: Town) -> None:
    """OIDC Core §8.1: nobody proves a host in such an address, so it must not give the subjects of whoever has it."""
    native = {"application_type": "native", "token_endpoint_auth_method": "none"}
    known = _subject(town)
    assert _subject(town, **native, redirect_uris=("com.evil.app://pool.example/cb",)) != known
    assert _subject(town, **native, redirect_uris=("https://pool.example/app",)) == known


def test_a_client_with_several_hosts_is_its_own_sector(town: Town) -> None:
    """OIDC Core §8.1: without a sector_identifier_uri several hosts have no sector in common."""
    uris = ("https://pool.example/cb", "https://gym.example/cb")
    assert _subject(town, redirect_uris=uris) != _subject(town)


def test_a_client_may_be_registered_for_public_subjects(town: Town) -> None:
    """OIDC Core §8: `public` gives every such client the same sub, whatever its host."""
    one = _subject(town, is_pairwise=False)
    assert one == _subject(town, is_pairwise=False, redirect_uris=("https://gym.example/cb",))
    assert one != _subject(town)


def test_a_form_may_lead_on_to_every_address_of_the_client_and_nowhere_else(town: Town) -> None:
    """The page policy: browsers apply form-action to the redirect after a form, the one after signing out too."""
    new = replace(GOOD, post_logout_redirect_uris=("https://www.pool.example/bye",))
    partner = town.add_client(new, basis="public_task")
    town.fresh()
    browser = town.browser()
    browser.code(partner, town.maria, "openid", Proof())
    answer = browser.get(
        "/logout",
        query_string={
            "client_id": "pool",
            "post_logout_redirect_uri": "https://www.pool.example/bye",
        },
    )
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["form-action"].split() == ["'self'", "https://pool.example", "https://www.pool.example"]
    answer = browser.submit("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://www.pool.example/bye")
    assert ISSUER not in answer.headers["Location"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_levels_of_two_purposes_that_are_set_at_once_both_count(town: Town) -> None:
    """Two commands for two purposes of one service; whoever is later keeps what the earlier one set."""
    whose = town.library.client_id
    other = Database(town.settings.database.url)
    with town.context.database.transaction() as later:
        row = later.get_one(ClientRow, whose)
        with other.transaction() as earlier:
            assert demand_level(earlier, whose, "strong", purpose="lending")
        assert demand_level(later, whose, "phr", purpose="rooms")
        assert row.purpose_acr == {"lending": "strong", "rooms": "phr"}
    other.close()
