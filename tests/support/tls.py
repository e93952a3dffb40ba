"""TLS on this machine: a certificate authority for tests, servers that say what a test wants, and TLS before a town."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

NAMES = ("localhost", "127.0.0.1", "provider.example")
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder; `ca` is what clients are to trust, `certificate` and `key` are a server's."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @cached_property
    def server_side(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder: Path, names: tuple[str, ...] = NAMES) -> Authority:
    """Make an authority and one server certificate for `names`."""
    made = Authority(folder)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
    root = (
        _certificate(ca, ca, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(*[False] * 5, True, True, False, False), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    leaf = (
        _certificate(subject, ca, key)
        .add_extension(x509.SubjectAlternativeName([*map(_general_name, names)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    made.ca.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# --- servers ---


@contextmanager
def listening(answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None) -> Iterator[int]:
    """A port on which every connection is handed to `answer`, after TLS if any; the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()
        accepting = threading.Thread(target=_accept, args=(server, answer, tls, ended), daemon=True)
        accepting.start()
        yield int(server.getsockname()[1])
        ended.set()
        with suppress(OSError):
            socket.create_connection(server.getsockname(), timeout=1).close()  # wakes it up
        accepting.join(5)


def _accept(
    server: socket.socket,
    answer: Callable[[socket.socket], None],
    tls: ssl.SSLContext | None,
    ended: threading.Event,
) -> None:
    while not ended.is_set():
        sock, _ = server.accept()
        if not ended.is_set():
            threading.Thread(target=_serve_one, args=(sock, answer, tls), daemon=True).start()
        else:
            sock.close()


def _serve_one(
    sock: socket.socket, answer: Callable[[socket.socket], None], tls: ssl.SSLContext | None
) -> None:
    with suppress(OSError), sock:
        sock.settimeout(20)
        if tls is None:
            answer(sock)
            return
        with tls.wrap_socket(sock, server_side=True) as wrapped:
            answer(wrapped)


@contextmanager
def tls_before(port: int, authority: Authority) -> Iterator[int]:
    """TLS in front of a plain server on this machine; the port."""

    def pass_on(browser: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as town:
            back = threading.Thread(target=_pump, args=(town, browser), daemon=True)
            back.start()
            _pump(browser, town)
            back.join(20)

    with listening(pass_on, authority.server_side) as outer:
        yield outer


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(16_384):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class HttpsServer(ThreadingHTTPServer):
    """An HTTPS server that answers with what `respond(method, path, headers, body)` says: status, headers, body."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, authority: Authority, respond: Callable[..., tuple[int, dict[str, str], bytes]]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.authority = authority
        self.url = f"https://localhost:{self.server_port}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError), self.authority.server_side.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        assert isinstance(self.server, HttpsServer)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = self.server.respond(self.command, self.path, self.headers, body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        pass
