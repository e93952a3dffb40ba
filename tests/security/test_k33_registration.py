"""K33: registering over HTTP gives nobody more than they were given; the rest of it stands in tests/idp/oidc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idp.clients.models import ClientRow
from tests.support.nodes import NODES, THREADS, Request, two_nodes
from tests.support.town import ISSUER, make_town

if TYPE_CHECKING:
    from pathlib import Path

POOL: dict[str, Any] = {"client_name": "Pool", "redirect_uris": ["https://pool.example/cb"]}


def test_one_token_registers_one_client_whoever_uses_it_when(database_url: str, tmp_path: Path) -> None:
    """CVE-2023-6544: parallel callers in two processes; the one use is spent by one of them."""
    from tests.idp.oidc.test_registration_endpoint import initial_token

    town = make_town(database_url, tmp_path, registration={"mode": "token"})
    with two_nodes(town) as nodes:
        for _ in range(5):
            headers = {"Authorization": f"Bearer {initial_token(town)}"}
            before = len(town.rows(ClientRow))
            replies = nodes.all_at_once(Request("/register", {}, headers, POOL), int(town.clock()))
            assert sorted(reply.status for reply in replies) == [201] + [401] * (NODES * THREADS - 1)
            assert len(town.rows(ClientRow)) == before + 1
    town.context.database.close()


def test_a_flood_of_registrations_is_stopped(database_url: str, tmp_path: Path) -> None:
    """Per source and in all, the refused ones included; whoever holds a token is not held up."""
    from tests.idp.oidc.test_registration_endpoint import initial_token

    limits = {"mode": "open", "per_source": 3, "per_town": 5}
    town = make_town(database_url, tmp_path, registration=limits)

    def ask(address: str, token: str = "", **change: Any) -> Any:
        client = town.app.test_client(use_cookies=False)
        client.environ_base["REMOTE_ADDR"] = address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.post("/register", json={**POOL, **change}, headers=headers, base_url=ISSUER)

    statuses = [ask("192.0.2.1").status_code, ask("192.0.2.1", redirect_uris=["x"]).status_code]
    statuses += [ask("192.0.2.1").status_code for _ in range(2)]
    assert statuses == [201, 400, 201, 429]
    assert [ask("192.0.2.2").status_code for _ in range(4)].count(201) == 2
    refused = ask("192.0.2.3")
    assert (refused.status_code, refused.json["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert ask("192.0.2.1", initial_token(town)).status_code == 201
    town.clock.advance(3600)
    assert ask("192.0.2.1").status_code == 201
    town.context.database.close()


def test_a_network_of_the_newer_internet_is_one_source(database_url: str, tmp_path: Path) -> None:
    """One subscriber has 2^64 addresses (RFC 6177): they share one budget, and take nothing from the network beside it."""
    limits = {"mode": "open", "per_source": 2, "per_town": 5}
    town = make_town(database_url, tmp_path, registration=limits)

    def ask(address: str) -> int:
        client = town.app.test_client(use_cookies=False)
        client.environ_base["REMOTE_ADDR"] = address
        return client.post("/register", json=POOL, base_url=ISSUER).status_code

    one, other = "2001:db8:1:2", "2001:db8:1:3"
    assert [ask(f"{one}::{last}") for last in ("1", "2", "3", "ffff")] == [201, 201, 429, 429]
    assert [ask(f"{one}:a:b:c:d"), ask("::ffff:192.0.2.1"), ask("192.0.2.1")] == [429, 201, 201]
    assert [ask("192.0.2.1"), ask(f"{other}::1"), ask(f"{other}::2")] == [429, 201, 429]
    town.context.database.close()
