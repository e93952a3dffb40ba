"""docker/nginx.conf, run as it stands but for ports, paths and the nodes' addresses."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.house.repository import ROOT
from tests.support import nginx
from tests.support.loopback import free_port
from tests.support.proving import PROXY_SECRET
from tests.support.tls import listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NAMES = {"residents": "id.riverton.example", "staff": "staff.riverton.example"}
FORGED = {
    "Forwarded": "for=192.0.2.1",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Client-Cert": "forged",
    "X_Forwarded_For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
    "Client-Cert": ":Zm9yZ2Vk:",
    "Client-Cert-Chain": ":Zm9yZ2Vk:",
    "Client_Cert": ":Zm9yZ2Vk:",
    "X-SSL-Client-Cert": "forged",
    "X-Original-URL": "/elsewhere",
    "X-HTTP-Method-Override": "DELETE",
}


class Echo(BaseHTTPRequestHandler):
    """A node that answers with what it was sent."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        body = json.dumps(
            {"port": self.server.server_port, "path": self.path, "headers": self.headers.items()}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Strict-Transport-Security", "max-age=1")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def node() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running nginx: its ports, which node port stands for which app, and its access log."""
    folder = tmp_path_factory.mktemp("nginx")
    with node() as residents, node() as staff, nginx.running(folder, residents, staff) as ports:
        yield {**ports, "residents": residents, "staff": staff, "log": folder / "access"}


@pytest.mark.parametrize("app", NAMES)
def test_host_name_chooses_the_app(site: dict[str, Any], app: str) -> None:
    """Residents' and staff pages are two apps; the name decides which one is asked."""
    status, headers, body = _ask(site["tls"], NAMES[app], "/account?x=1")
    assert (status, json.loads(body)["port"], json.loads(body)["path"]) == (200, site[app], "/account?x=1")
    assert headers.get_all("Strict-Transport-Security") == ["max-age=63072000; includeSubDomains"]


def test_headers_that_only_a_proxy_may_set_are_replaced(site: dict[str, Any]) -> None:
    """A client cannot claim another address, another host or a certificate (RFC 9440 §4)."""
    _, _, body = _ask(site["tls"], NAMES["residents"], "/", headers=FORGED)
    sent = {name.lower().replace("_", "-"): value for name, value in json.loads(body)["headers"]}
    assert sent.pop(f"x-forwarded-for-{PROXY_SECRET}") == "127.0.0.1"
    assert sent.pop("x-forwarded-proto") == "https"
    assert sent["host"] == NAMES["residents"]
    assert not sent.keys() & {name.lower().replace("_", "-") for name in FORGED}


def test_oversized_requests_end_at_the_door(site: dict[str, Any]) -> None:
    """K39: a body over 64 KiB or a header over 24 KiB never costs a worker."""
    assert _ask(site["tls"], NAMES["residents"], "/token", method="POST", body=b"x" * 66_000)[0] == 413
    assert _ask(site["tls"], NAMES["residents"], "/", headers={"X-Long": "x" * 30_000})[0] == 400
    assert _ask(site["tls"], NAMES["residents"], f"/authorize?state={'x' * 30_000}")[0] == 414


def test_unknown_name_is_shown_no_certificate(site: dict[str, Any]) -> None:
    """A name that is not ours gets no page and no hint whose server this is."""
    with pytest.raises(ssl.SSLError):
        _ask(site["tls"], "elsewhere.example", "/")


def test_health_is_not_public(site: dict[str, Any]) -> None:
    """The containers ask it themselves."""
    assert _ask(site["tls"], NAMES["residents"], "/health")[0] == 404


def test_only_the_container_itself_is_told_that_nginx_is_up(site: dict[str, Any]) -> None:
    """Its own listener, at the loopback address alone: `return` is answered before `deny` is looked at."""
    assert _plain(site["check"], "/nginx-is-up") == 204
    for port, source in (("plain", "127.0.0.1"), ("plain", "127.0.0.9")):
        assert _plain(site[port], "/nginx-is-up", source) is None
    compose = (ROOT / "docker" / "compose.city.yaml").read_text(encoding="utf-8")
    configuration = (ROOT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    (address,) = set(re.findall(r"http://(\S+)/nginx-is-up", compose))
    assert address.startswith("127.0.0.1:")
    assert f"listen {address};" in configuration


def _plain(port: int, path: str, source: str = "127.0.0.1") -> int | None:
    """The status of an answer; None when there is none."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1"})
        return connection.getresponse().status
    except (RemoteDisconnected, ConnectionResetError):
        return None
    finally:
        connection.close()


@contextmanager
def quitter(asked: list[str]) -> Iterator[int]:
    """A node that reads each request and goes away."""

    def quit_(sock: socket.socket) -> None:
        asked.append(sock.recv(4096).split(b" ")[1].decode())

    with listening(quit_, None) as port:
        yield port


def test_what_reached_a_node_and_changes_something_is_never_sent_to_another(tmp_path: Path) -> None:
    """RFC 9110 §9.2.2: a code that is redeemed twice would end its family. A page may be asked for again."""
    asked: list[str] = []
    with (
        quitter(asked) as first,
        node() as second,
        nginx.running(tmp_path, first, second, second=second) as ports,
    ):
        statuses = {
            path: _ask(ports["tls"], NAMES["residents"], path, method="POST", body=b"x")[0]
            for path in ("/one", "/two")
        }
        assert {path for path, status in statuses.items() if status == 502} == set(asked)
        assert len(asked) == 1, statuses
        for number in range(3):
            assert _ask(ports["tls"], NAMES["residents"], f"/page/{number}")[0] == 200
        assert len(asked) > 1


def test_a_node_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    """One after the other restarts, and nobody notices."""
    with node() as there, nginx.running(tmp_path, free_port(), there, second=there) as ports:
        for _ in range(3):
            assert _ask(ports["tls"], NAMES["residents"], "/token", method="POST", body=b"x")[0] == 200


@pytest.mark.parametrize("port", ["tls", "mtls"])
def test_only_current_tls_is_spoken(site: dict[str, Any], port: str) -> None:
    """RFC 9325 §3.1.1: TLS 1.2 and 1.3; FAPI 2.0 §5.2.2, RFC 9325 §4.2: of 1.2 the four recommended suites alone."""
    configuration = (ROOT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"^\s*ssl_protocols (.+);$", configuration, re.MULTILINE) == ["TLSv1.2 TLSv1.3"]
    for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
        _shake_hands(site[port], _tls12(suite))
    for suite in (
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-ECDSA-AES128-CCM",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ):
        with pytest.raises(ssl.SSLError, match="SSLV3_ALERT_HANDSHAKE_FAILURE"):
            _shake_hands(site[port], _tls12(suite))
    old = _context()
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")  # else our own side would refuse it first
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        _shake_hands(site[port], old)


def _shake_hands(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
        context.wrap_socket(sock, server_hostname=NAMES["residents"]),
    ):
        pass


def test_plain_http_is_sent_to_https(site: dict[str, Any]) -> None:
    """Our own names only; another name gets no answer at all."""
    connection = HTTPConnection("127.0.0.1", site["plain"], timeout=10)
    connection.request("GET", "/login", headers={"Host": NAMES["residents"]})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://id.riverton.example/login")
    connection.close()


def test_log_carries_no_query(site: dict[str, Any]) -> None:
    """A query can carry codes, hints and names: the access log has the path alone."""
    _ask(site["tls"], NAMES["residents"], "/authorize?login_hint=ada%40example.org")
    deadline = time.monotonic() + 10
    while "GET /authorize 200" not in (log := site["log"].read_text()):  # written after the answer is sent
        assert time.monotonic() < deadline, log
        threading.Event().wait(0.01)
    assert "login_hint" not in log
    assert "ada" not in log


def _ask(port: int, name: str, path: str, **options: Any) -> tuple[int, Any, bytes]:
    connection = _Named(name, port, context=options.pop("context", None) or _context(), timeout=10)
    headers = {"Host": name} | options.pop("headers", {})
    try:
        connection.request(options.pop("method", "GET"), path, headers=headers, **options)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class _Named(HTTPSConnection):
    """HTTPS to this machine, asking for another name (SNI)."""

    def connect(self) -> None:
        name, self.host = self.host, "127.0.0.1"
        HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=name)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls12(cipher: str) -> ssl.SSLContext:
    context = _context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    return context
