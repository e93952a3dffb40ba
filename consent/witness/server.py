"""A server for a witness: HTTP/1.1, a bounded number of connections, and none of them may be slow.

It speaks plain HTTP: whoever offers a witness to the world puts a proxy with TLS in front, as docs/witnesses.md shows.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Final, cast

from consent.witness import rules
from consent.witness.rules import Answer

if TYPE_CHECKING:
    from io import BufferedReader

    from consent.witness.service import Witness

#: Connections at the same time; who comes then waits in the queue of the system.
MOST_CONNECTIONS: Final = 64
#: A request from its first octet to its last, and the wait for one, in seconds.
REQUEST_FOR: Final = 10.0
#: What is read of a request that is too long, so that its sender gets to read why.
_DRAIN: Final = 1 << 20
_DRAIN_FOR: Final = 1.0
_PIECE: Final = 1 << 16


class _Impatient:
    """What a connection sends; every read counts against one deadline, which `start` sets."""

    def __init__(self, connection: socket.socket, inner: BufferedReader, seconds: float) -> None:
        self._connection, self._inner, self._seconds = connection, inner, seconds
        self.start()

    def start(self, seconds: float | None = None) -> None:
        self._until = time.monotonic() + (self._seconds if seconds is None else seconds)

    def readline(self, limit: int) -> bytes:
        return self._collect(limit, ends_with_line=True)

    def read(self, limit: int) -> bytes:
        return self._collect(limit, ends_with_line=False)

    def close(self) -> None:
        self._inner.close()

    def _collect(self, limit: int, *, ends_with_line: bool) -> bytes:
        """As much as has come at a time, so that no single wait outlasts the deadline."""
        found = bytearray()
        while len(found) < limit:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            ready = self._inner.peek(1)[: limit - len(found)]
            if not ready:
                break
            end = ready.find(b"\n") + 1 if ends_with_line else 0
            found += self._inner.read(end or len(ready))
            if end:
                break
        return bytes(found)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Denizen"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self._patience = _Impatient(self.connection, self.rfile, self._server.request_for)  # type: ignore[arg-type]
        self.rfile = self._patience  # type: ignore[assignment]

    @property
    def _server(self) -> WitnessServer:
        return cast("WitnessServer", self.server)

    def handle_one_request(self) -> None:
        """One request of a connection; one that is too slow ends it."""
        self._patience.start()
        super().handle_one_request()

    def do_GET(self) -> None:
        self._answer(self._server.witness.shown(self.path))

    do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

    def do_POST(self) -> None:
        length = self._length()
        if isinstance(length, Answer):
            self._answer(length)
            return
        body = self._patience.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self._answer(self._server.witness.posted(self.path, body))

    def _length(self) -> int | Answer:
        """How long the body is, or why it is not read; then the connection ends, for nobody knows where it does."""
        told = self.headers.get_all("Content-Length", [])
        self.close_connection = True
        if self.headers.get("Transfer-Encoding") is not None or not told:
            return Answer(411, "say how long the request is\n")
        if len(told) > 1 or not (told[0].isascii() and told[0].isdigit()):
            return Answer(400, "the length is no number\n")
        if len(told[0]) > 9 or int(told[0]) > rules.LONGEST_REQUEST:  # noqa: PLR2004 - digits; no number is that long
            return Answer(413, "the request is too long\n")
        self.close_connection = self.headers.get("Connection", "").lower() == "close"
        return int(told[0])

    def _answer(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if answer.allow:
            self.send_header("Allow", answer.allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if answer.status == 413:  # noqa: PLR2004
            self._drain()

    def _drain(self) -> None:
        left = _DRAIN
        self._patience.start(_DRAIN_FOR)
        while left > 0 and (piece := self._patience.read(min(left, _PIECE))):
            left -= len(piece)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Nothing: what matters is said by the witness itself."""


class WitnessServer(ThreadingHTTPServer):
    """Serves a witness until `shutdown`, each connection in a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, witness: Witness, host: str, port: int, *, request_for: float = REQUEST_FOR) -> None:
        self.witness = witness
        self.request_for = request_for
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        if ":" in host:
            self.address_family = socket.AF_INET6
            host = str(ip_address(host))
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """Where it listens, also when any port was asked for."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind without asking anybody for the name of this machine, as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a place first; one is free again after a request's time at the latest."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the place back however the connection ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who leaves, or is too slow, is no error of ours."""
        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
