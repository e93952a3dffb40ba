"""K17 at registration: an address that a client names is a wish; whatever is not public is not even registered."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from idp.clients.models import ClientRow
from idp.clients.service import demand_level
from tests.support.proving import jwks, key_for
from tests.support.riverton import until
from tests.support.tls import HttpsServer, listening, make_authority
from tests.support.town import ISSUER, make_town

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.test import TestResponse

    from tests.support.tls import Authority
    from tests.support.town import Town

#: Addresses of machines that are none of the public's, and of no machine.
INSIDE = [
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://[::ffff:7f00:1]/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://0/x",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/x",
    "https://[fd00::1]/x",
    "https://localhost/x",
    "https://localhost./x",
    "https://db.internal/x",
    "https://printer.local/x",
    "http://pool.example/x",
    "http://127.0.0.1/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/x",
    "https://user@pool.example/x",
    "https://pool.example\\@127.0.0.1/x",
    "//127.0.0.1/x",
]
FETCHED = ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri", "request_uris")


def _opened(url: str, folder: Path, **more: Any) -> Town:
    return make_town(url, folder, registration={"mode": "open", "per_source": 1000}, **more)


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Town]:
    made = _opened(database_url, tmp_path)
    yield made
    made.context.database.close()


def _register(town: Town, **change: Any) -> TestResponse:
    body = {"client_name": "Pool", "redirect_uris": ["https://pool.example/cb"], **change}
    return town.app.test_client(use_cookies=False).post("/register", json=body, base_url=ISSUER)


@pytest.mark.parametrize("name", FETCHED)
def test_an_address_inside_is_not_registered(opened: Town, name: str) -> None:
    """CVE-2026-1180, CVE-2021-26715: refused before anything is looked up."""
    before = len(opened.rows(ClientRow))
    for uri in INSIDE:
        answer = _register(opened, **{name: [uri] if name == "request_uris" else uri})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata"), uri
    assert len(opened.rows(ClientRow)) == before


def test_addresses_of_pictures_and_pages_are_never_fetched(opened: Town, tmp_path: Path) -> None:
    """Registering fetches nothing but the sector file: not the key set, not the logo, not request objects."""
    hits: list[str] = []

    def respond(_method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        hits.append(path)
        return 200, {}, b"{}"

    with HttpsServer(make_authority(tmp_path), respond) as server:
        testing = {"allow_loopback": True, "extra_ca": server.authority.ca}
        town = _local(opened, tmp_path, testing)
        names = ("jwks_uri", "logo_uri", "policy_uri", "tos_uri", "backchannel_logout_uri")
        answer = _register(
            town, **{name: f"{server.url}/{name}" for name in names}, request_uris=[f"{server.url}/r"]
        )
        assert answer.status_code == 201, answer.json
        town.context.database.close()
    assert hits == []


def _local(town: Town, folder: Path, testing: dict[str, Any]) -> Town:
    """The same database behind a town on this machine, which alone may fetch from it."""
    from dataclasses import replace

    from idp.app import create_app, open_context
    from idp.settings import Settings

    values = town.settings.model_dump()
    values |= {
        "server": {"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"},
        "testing": testing,
    }
    context = open_context(Settings(**values), clock=town.clock, checkpoints=False)
    return replace(town, settings=context.settings, context=context, app=create_app(context))


@pytest.mark.parametrize(
    ("listed", "status"),
    [
        (["https://pool.example/cb", "https://gym.example/cb"], 201),
        (["https://gym.example/cb"], 400),
        ({"redirect_uris": ["https://pool.example/cb"]}, 400),
        (["https://pool.example/cb", 1], 400),
        (None, 400),
    ],
    ids=["listed", "another", "no array", "no texts", "nothing"],
)
def test_the_sector_file_must_list_every_address(
    opened: Town, tmp_path: Path, listed: Any, status: int
) -> None:
    """OIDC Registration §5: and its host is the sector, whatever hosts the addresses have."""

    def respond(*_: object) -> tuple[int, dict[str, str], bytes]:
        return (200 if listed else 404), {"Content-Type": "application/json"}, json.dumps(listed).encode()

    with HttpsServer(make_authority(tmp_path), respond) as server:
        town = _local(opened, tmp_path, {"allow_loopback": True, "extra_ca": server.authority.ca})
        answer = _register(town, sector_identifier_uri=f"{server.url}/sector")
        town.context.database.close()
    assert answer.status_code == status, answer.json
    if status == 400:
        assert answer.json["error"] == "invalid_client_metadata"


def test_what_the_town_decides_while_a_file_is_fetched_stays(opened: Town, tmp_path: Path) -> None:
    """RFC 7592 §2.2: a client that says itself anew, and lets us wait for its file, undoes nothing that an operator set."""
    made: dict[str, Any] = {}

    def respond(*_: object) -> tuple[int, dict[str, str], bytes]:
        if made:  # with the second answer
            with opened.context.database.transaction() as session:
                assert demand_level(session, made["client_id"], "phr")
        return 200, {"Content-Type": "application/json"}, json.dumps(["https://pool.example/cb"]).encode()

    with HttpsServer(make_authority(tmp_path), respond) as server:
        town = _local(opened, tmp_path, {"allow_loopback": True, "extra_ca": server.authority.ca})
        said = {"sector_identifier_uri": f"{server.url}/sector"}
        made.update(_register(town, **said).json)
        answer = _describe_anew(town, made, **said)
        town.context.database.close()
    assert answer.status_code == 200, answer.json
    (row,) = [row for row in opened.rows(ClientRow) if row.client_id == made["client_id"]]
    assert row.minimum_acr == "phr"


def test_a_file_that_trickles_or_never_ends_holds_nobody_up(opened: Town, tmp_path: Path) -> None:
    """Cut after five seconds and 64 KiB; other requests are answered meanwhile, because no transaction waits."""

    def trickle(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            sock.sendall(b" ")
            time.sleep(0.1)

    def endless(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" + b"[" * 65_536)

    authority: Authority = make_authority(tmp_path)
    town = _local(opened, tmp_path, {"allow_loopback": True, "extra_ca": authority.ca})
    for serve, limit in ((trickle, 6.5), (endless, 3)):
        with listening(serve, authority.server_side) as port:
            began = time.monotonic()
            answer = _register(town, sector_identifier_uri=f"https://localhost:{port}/sector")
            assert answer.status_code == 400
            assert time.monotonic() - began < limit
    assert _register(town, jwks=jwks(key_for("ES256"))).status_code == 201
    town.context.database.close()


def test_one_client_that_says_itself_anew_all_the_time_keeps_few_threads(
    opened: Town, tmp_path: Path
) -> None:
    """RFC 7592 §2.2: each change fetches its file. A slow host at every one would leave no thread for residents."""
    fetched: list[str] = []
    may_answer = Event()

    def respond(_method: str, path: str, *_: object) -> tuple[int, dict[str, str], bytes]:
        fetched.append(path)
        assert path == "/first" or may_answer.wait(20)
        return 200, {"Content-Type": "application/json"}, json.dumps(["https://pool.example/cb"]).encode()

    with HttpsServer(make_authority(tmp_path), respond) as server, ThreadPoolExecutor(8) as pool:
        town = _local(opened, tmp_path, {"allow_loopback": True, "extra_ca": server.authority.ca})
        made = _register(town, sector_identifier_uri=f"{server.url}/first").json

        def put(_number: int) -> TestResponse:
            return _describe_anew(town, made, sector_identifier_uri=f"{server.url}/slow")

        begun = [pool.submit(put, number) for number in range(8)]
        until(lambda: sum(one.done() for one in begun) == 7, "whoever has no turn is refused soon")
        assert fetched == ["/first", "/slow"]
        may_answer.set()
        answers = sorted((one.result(20) for one in begun), key=lambda one: one.status_code)
        town.context.database.close()
    assert [one.status_code for one in answers] == [200] + [400] * 7
    assert answers[-1].json["error"] == "invalid_client_metadata"


def _describe_anew(town: Town, made: dict[str, Any], **said: Any) -> TestResponse:
    return town.app.test_client(use_cookies=False).put(
        f"/register/{made['client_id']}",
        json={"client_id": made["client_id"], "redirect_uris": made["redirect_uris"], **said},
        headers={"Authorization": f"Bearer {made['registration_access_token']}"},
        base_url=ISSUER,
    )
