"""K17 at delivery: where a name leads is looked at each time; nothing inside is ever told, and nobody else waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from idp.clients.metadata import Details, NewClient
from idp.settings import testing
from idp.signals.models import Delivery
from idp.web.fetcher import Fetcher
from tests.idp.signals.telling import messenger_for
from tests.support.tls import HttpsServer, make_authority
from tests.support.town import Proof

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.town import Town


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "0.0.0.0"])
def test_a_name_that_leads_inside_is_never_told(town: Town, tmp_path: Path, inside: str) -> None:
    """It was public when it was registered: DNS says something else now, so every delivery looks anew."""
    hits: list[str] = []

    def respond(_method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        hits.append(path)
        return 200, {}, b""

    folder = tmp_path / "tls"
    folder.mkdir()
    with HttpsServer(make_authority(folder, ("pool.example",)), respond) as server:
        uri = f"https://pool.example:{server.server_port}/out"
        new = NewClient(
            "Pool",
            ("https://pool.example/cb",),
            client_id="pool",
            details=Details(backchannel_logout_uri=uri),
        )
        partner = town.add_client(new, basis="public_task", required=("name",))
        browser = town.browser()
        browser.code(partner, town.maria, "openid", Proof())
        browser.get("/logout")
        browser.submit("/logout")
        messenger = messenger_for(town, server)
        guarded = Fetcher(
            testing.TestingSettings(extra_ca=server.authority.ca),
            resolve=lambda *_: ["93.184.215.14", inside],
        )
        object.__setattr__(messenger._provider, "fetcher", guarded)
        town.clock.advance(1)
        messenger.run(int(town.clock()))
        messenger.finish()
        messenger._pool.shutdown()
    (row,) = town.rows(Delivery)
    assert (row.state, row.trouble, hits) == ("waiting", "not a public address", [])
