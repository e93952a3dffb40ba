"""Two OpenID Connect clients for Node.js that others wrote, against the town as it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.scripts import Orders, converse, need
from tests.support.walker import Walker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.riverton import Riverton

CLIENTS = {"openid_client.mjs": "openid-client", "oauth4webapi.mjs": "oauth4webapi"}
REFUSED = [
    "another state",
    "another issuer",
    "no issuer",
    "another person's data",
    "a revoked refresh token",
    "a refresh token used before",
    "another nonce",
    "a code used before",
    "another signature algorithm",
]


@pytest.fixture(scope="module", autouse=True)
def _node_and_its_packages() -> None:
    need(*CLIENTS.values())


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@pytest.mark.parametrize("script", CLIENTS)
def test_a_client_that_others_wrote_does_all_of_its_work(
    riverton: Riverton, script: str, algorithm: str, tmp_path: Path
) -> None:
    """From discovery to signing out (OIDC Core, RFC 7009, 7636, 7662, 9207, RP-Initiated Logout); see the script."""
    client = riverton.clients[f"interop-{algorithm.lower()}"]
    person = riverton.residents["layla.haddad"]
    setup = {
        "issuer": riverton.issuer,
        "client_id": client.client_id,
        "client_secret": client.secret,
        "method": client.method,
        "algorithm": algorithm,
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": client.redirect_uri.replace("/callback", "/bye"),
    }
    with Walker(riverton.issuer, person) as walker:
        orders: Orders = {"open": lambda url: {"url": walker.answer(url)}}
        said = converse(script, setup, orders, tmp_path / "stderr")
        assert walker.sign_ins == 1, "one sign-in serves every request until the resident signs out"
    assert said["refused"] == REFUSED
    claims, userinfo = said["granted"]["claims"], said["granted"]["userinfo"]
    assert (claims["iss"], claims["aud"], claims["amr"]) == (riverton.issuer, client.client_id, ["pwd"])
    assert userinfo == {
        "sub": claims["sub"],
        "name": person.name,
        "updated_at": userinfo["updated_at"],
        "email": person.email,
        "email_verified": userinfo["email_verified"],
    }
