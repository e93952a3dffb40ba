"""docker/nginx.conf, run as it stands but for ports, paths and the nodes' addresses."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.house.repository import ROOT
from tests.support.loopback import free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

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
    """A running nginx: its two ports, which node port stands for which app, and its access log."""
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    _make_certificate(folder)
    plain, tls = free_port(), free_port()
    with node() as residents, node() as staff:
        _write(folder, plain, tls, residents, staff)
        command = [
            str(NGINX),
            "-e",
            str(folder / "errors"),
            "-p",
            str(folder),
            "-c",
            str(folder / "nginx.conf"),
        ]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "[warn]" not in checked.stderr
        server = subprocess.Popen([*command, "-g", "daemon off;"])
        try:
            wait_for_port(tls)
            yield {
                "plain": plain,
                "tls": tls,
                "residents": residents,
                "staff": staff,
                "log": folder / "access",
            }
        finally:
            server.terminate()
            server.wait(10)


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
    assert sent.pop("x-forwarded-for") == "127.0.0.1"
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


def test_only_current_tls_is_spoken(site: dict[str, Any]) -> None:
    """RFC 9325 §3.1.1 and §4.2: TLS 1.2 and 1.3, forward secrecy and authenticated encryption."""
    configuration = (ROOT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"^\s*ssl_protocols (.+);$", configuration, re.MULTILINE) == ["TLSv1.2 TLSv1.3"]
    assert (
        _ask(site["tls"], NAMES["residents"], "/", context=_tls12("ECDHE-ECDSA-AES128-GCM-SHA256"))[0] == 200
    )
    with pytest.raises(ssl.SSLError):
        _ask(site["tls"], NAMES["residents"], "/", context=_tls12("ECDHE-ECDSA-AES128-SHA"))


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
    log = site["log"].read_text()
    assert "GET /authorize 200" in log
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


def _write(folder: Path, plain: int, tls: int, residents: int, staff: int) -> None:
    text = (ROOT / "docker" / "nginx.conf").read_text(encoding="utf-8")
    changes = {
        r"(?<= )/tmp/": f"{folder}/",  # before any path below the temporary folder is put in
        r"/etc/nginx/tls": str(folder),
        r"/dev/stderr": f"{folder}/errors",
        r"/dev/stdout": f"{folder}/access",
        r"listen 8080": f"listen 127.0.0.1:{plain}",
        r"listen 8443": f"listen 127.0.0.1:{tls}",
        r"node-[ab]:8400": f"127.0.0.1:{residents}",
        r"staff:8401": f"127.0.0.1:{staff}",
        r"worker_processes auto": "worker_processes 1",
        r"worker_connections 4096": "worker_connections 64",
    }
    for before, after in changes.items():
        text, count = re.subn(before, after, text)
        assert count, f"{before} is not in nginx.conf any more"
    (folder / "nginx.conf").write_text(text)


def _make_certificate(folder: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name, now = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "riverton.example")]),
        datetime.now(UTC),
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "tls.crt").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(private)
