"""A partner's page that has no server reads what it needs from the browser; no other page does (Fetch, K19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.clients.metadata import NewClient
from idp.clients.rules import origin_of
from idp.clients.service import disable_client
from tests.support.town import ISSUER, Proof

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.support.town import Partner, Town

PAGE = "https://map.example:8443"
PATHS = ("/token", "/userinfo", "/revoke", "/par")
#: Nothing for pages to read: the authorization endpoint above all (RFC 9700 §2.6).
CLOSED = ("/authorize", "/introspect", "/login", "/register", "/device_authorization")
#: Another port, another scheme, a client with a secret, and what never is an origin of anybody.
OTHERS = ("https://map.example:8444", "http://map.example", "https://rp.example", "null", "*", "")


@pytest.fixture
def page(town_both_ways: Town) -> tuple[Town, Partner]:
    """A client without a secret, and the town."""
    uris = (f"{PAGE}/back", "https://Map.example:443/back")
    new = NewClient(
        "Map", uris, client_id="map", token_endpoint_auth_method="none", scopes=("openid", "email")
    )
    partner = town_both_ways.add_client(new, basis="public_task", required=("email",))
    town_both_ways.fresh()
    return town_both_ways, partner


def ask(town: Town, path: str, origin: str) -> TestResponse:
    """What a browser asks before it lets a script send a proof."""
    client = town.app.test_client(use_cookies=False)
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(path, base_url=ISSUER, headers=headers)


def allowed(answer: TestResponse) -> str | None:
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return answer.headers.get("Access-Control-Allow-Origin")


def test_a_page_without_a_server_redeems_its_code_and_reads_the_data(page: tuple[Town, Partner]) -> None:
    """The answer and its errors are for the origin of the client's redirect URI, proofs and nonces among them."""
    town, partner = page
    proof, origin = Proof(), {"Origin": PAGE}
    code = town.browser().code(partner, town.maria, "openid email", proof)
    form = {
        "grant_type": "authorization_code",
        "client_id": partner.client_id,
        "code": code,
        "redirect_uri": partner.redirect_uri,
        "code_verifier": proof.verifier,
    }
    client = town.app.test_client(use_cookies=False)
    answer = client.post("/token", data=form, base_url=ISSUER, headers=origin)
    assert (answer.status_code, allowed(answer)) == (200, PAGE)
    assert "Origin" in answer.headers["Vary"]
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    told = client.get("/userinfo", base_url=ISSUER, headers={**origin, **bearer})
    assert (told.json["email"], allowed(told)) == (town.maria.email, PAGE)
    refused = client.get("/userinfo", base_url=ISSUER, headers={**origin, "Authorization": "Bearer x"})
    assert (refused.status_code, allowed(refused)) == (401, PAGE)
    assert refused.headers["Access-Control-Expose-Headers"] == "DPoP-Nonce, WWW-Authenticate"


def test_the_browser_is_told_beforehand_what_it_may_send(page: tuple[Town, Partner]) -> None:
    """Fetch §4.8: the header fields of tokens and proofs; at each origin that the client has, and only there."""
    town, _ = page
    for path in PATHS:
        for origin in (PAGE, "https://map.example"):
            answer = ask(town, path, origin)
            assert (answer.status_code, answer.data, allowed(answer)) == (200, b"", origin)
            assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, DPoP"
        for origin in OTHERS:
            assert allowed(ask(town, path, origin)) is None, origin
    for path in CLOSED:
        assert allowed(ask(town, path, PAGE)) is None, path


def test_a_client_that_is_switched_off_has_no_page(page: tuple[Town, Partner]) -> None:
    """As everywhere else, within a second."""
    town, partner = page
    with town.context.database.transaction() as session:
        disable_client(session, partner.client_id, now=int(town.clock()))
    town.fresh()
    assert allowed(ask(town, "/token", PAGE)) is None


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://Map.Example/back?x=1", "https://map.example"),
        ("https://map.example:443/back", "https://map.example"),
        ("http://localhost:80/back", "http://localhost"),
        ("http://[::1]:5173/back", "http://[::1]:5173"),
        ("https://map.example:8443", "https://map.example:8443"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(uri: str, origin: str) -> None:
    """RFC 6454 §6.2."""
    assert origin_of(uri) == origin
