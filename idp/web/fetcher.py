"""The one way by which the town fetches what others name: an address is a wish, not an order (K17, RFC 9700 §4.14).

https only. No redirect is followed. The host is resolved once, every address it has must be public, and the
connection goes to a checked address with the host's own name in SNI and Host: what a name means cannot change between
check and use. A fetch has an end in time and size, whatever the other side does. Proxies and cookies do not exist.
Only `[testing]` lets it reach this machine itself, then by plain http as well, or a private network.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from idp.web.addresses import is_host, is_loopback_address, is_private_address, is_public
from idp.web.lookups import Lookups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from idp.settings.testing import TestingSettings
    from idp.web.lookups import Resolve

#: A whole fetch ends after this many seconds, a try to connect to one address after fewer.
TOTAL_FOR = 5.0
_CONNECT_FOR = 2.0
BODY_LIMIT = 64 * 1024
_HEAD_LIMIT = 16 * 1024
_URL_LIMIT = 2048
_HIGHEST_PORT = 65535
_PORTS = {"https": 443, "http": 80}
#: Scheme, host and port.
Origin = tuple[str, str, int]


class FetchFailed(Exception):
    """Nothing usable came back.

    `public` is one text for all causes, so that nobody learns about our network by asking; `private` names the cause
    and the host, and nothing of path, query or answer.
    """

    public = "The address could not be read."

    def __init__(self, cause: str, host: str = "") -> None:
        self.cause = cause
        self.private = f"{cause} host={host[:253]!r}"
        super().__init__(self.private)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer as it came: any status, redirects too. Header names in lower case; of one sent twice the first."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    limit: int


class _Target(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def origin_of(url: str) -> Origin:
    """Scheme, host and port of an address in the settings."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


@dataclass(frozen=True)
class Fetcher:
    """Fetches; safe to share between threads. `monotonic` gives seconds that only go on."""

    testing: TestingSettings
    #: What the operator named in the settings, by `origin_of`: it may be on this machine or in a private network.
    own: frozenset[Origin] = frozenset()
    resolve: Resolve = system_resolve
    total_for: float = TOTAL_FOR
    monotonic: Callable[[], float] = time.monotonic

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, limit: int = BODY_LIMIT) -> Fetched:
        """GET an address; at most `limit` bytes of body.

        Raises:
            FetchFailed: when the address is not one to fetch, or nothing whole came back in time.
        """
        return self._fetch(_Request("GET", url, headers or {}, None, limit))

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
    ) -> Fetched:
        """POST a body to an address; otherwise as `get`."""
        sent = {**(headers or {}), "Content-Type": content_type}
        return self._fetch(_Request("POST", url, sent, body, limit))

    def _fetch(self, request: _Request) -> Fetched:
        target = self._target(request.url)
        deadline = _Deadline(self.monotonic, self.monotonic() + self.total_for)
        try:
            addresses = self._checked_addresses(target, deadline)
            connection = _Connection(target, deadline, _wire_limit(request))
            try:
                connection.open(addresses, self._tls if target.scheme == "https" else None)
                return _exchange(connection, target, request)
            finally:
                connection.end()
        except FetchFailed:
            raise
        except TimeoutError as error:
            raise FetchFailed("too slow", target.host) from error
        except ssl.SSLError as error:
            raise FetchFailed(f"no trusted TLS ({error.reason})", target.host) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchFailed(f"no answer ({type(error).__name__})", target.host) from error

    def _target(self, url: str) -> _Target:
        """The parts of an address, if it is one to fetch at all."""
        if len(url) > _URL_LIMIT or not url.isascii() or not url.isprintable() or set(" \\#") & set(url):
            raise FetchFailed("no plain URL")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise FetchFailed("no plain URL") from error
        host = parts.hostname or ""
        is_named = (parts.scheme, host, port or _PORTS.get(parts.scheme)) in self.own
        if (
            not (parts.scheme in self._schemes or is_named)
            or "@" in parts.netloc
            or parts.netloc.endswith(":")
        ):
            raise FetchFailed("not by https", host)
        if not is_host(host) or not (port is None or 0 < port <= _HIGHEST_PORT):
            raise FetchFailed("no plain host", host)
        written = f"[{host}]" if ":" in host else host
        if parts.netloc.lower() not in (written, f"{written}:{port}"):
            raise FetchFailed("no plain host", host)  # Python reads x[::1]y as ::1 (CVE-2025-0938)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _Target(parts.scheme, host, port or _PORTS[parts.scheme], path)

    @property
    def _schemes(self) -> tuple[str, ...]:
        return ("https", "http") if self.testing.allow_loopback else ("https",)

    def _checked_addresses(self, target: _Target, deadline: _Deadline) -> Sequence[str]:
        """Every address of the host; one that is not allowed spoils them all."""
        addresses = self._lookups.addresses(target.host, target.port, within=deadline.left())
        if not addresses:
            raise FetchFailed("no address", target.host)
        if not all(self._is_allowed(target, address) for address in addresses):
            raise FetchFailed("not a public address", target.host)
        return addresses

    def _is_allowed(self, target: _Target, address: str) -> bool:
        is_own = (target.scheme, target.host, target.port) in self.own
        if is_loopback_address(address):
            return self.testing.allow_loopback or is_own
        if is_private_address(address):
            return (self.testing.allow_private or is_own) and target.scheme == "https"
        return target.scheme == "https" and is_public(address)

    @cached_property
    def _lookups(self) -> Lookups:
        return Lookups(self.resolve, patience=self.total_for)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, the system's trust and, for tests, one more authority (RFC 9325)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_default_certs()
        context.set_alpn_protocols(["http/1.1"])
        if self.testing.extra_ca is not None:
            context.load_verify_locations(self.testing.extra_ca)
        return context


def _wire_limit(request: _Request) -> int:
    """What may arrive in all: head, body, and the frames of a chunked body."""
    return _HEAD_LIMIT + 2 * request.limit


def _exchange(connection: _Connection, target: _Target, request: _Request) -> Fetched:
    """Send the request and read the whole answer."""
    sent = {"User-Agent": "Denizen", "Accept-Encoding": "identity", "Connection": "close", **request.headers}
    connection.request(request.method, target.path, body=request.body, headers=sent)
    answer = connection.getresponse()
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise FetchFailed("compressed although not asked for", target.host)
    if answer.length is not None and answer.length > request.limit:
        raise FetchFailed("too large", target.host)
    body = answer.read(request.limit + 1)
    if len(body) > request.limit:
        raise FetchFailed("too large", target.host)
    if answer.length:
        raise FetchFailed("cut short", target.host)
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        headers.setdefault(name.lower(), value)
    return Fetched(answer.status, headers, body)


@dataclass(frozen=True, slots=True)
class _Deadline:
    """When a fetch ends in any case."""

    monotonic: Callable[[], float]
    at: float

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: when there are none.
        """
        left = self.at - self.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Connection(http.client.HTTPConnection):
    """A connection to checked addresses, under the host's own name, that ends with its deadline."""

    def __init__(self, target: _Target, deadline: _Deadline, limit: int) -> None:
        self.default_port = 443 if target.scheme == "https" else 80
        super().__init__(target.host, target.port)
        self._deadline = deadline
        self._limit = limit
        self._sock: socket.socket | None = None

    def open(self, addresses: Sequence[str], tls: ssl.SSLContext | None) -> None:
        """Connect to the first address that answers, then TLS if any."""
        self._sock = self._first_that_answers(addresses)
        if tls is not None:
            self._sock.settimeout(self._deadline.left())  # of the handshake as a whole
            self._sock = tls.wrap_socket(self._sock, server_hostname=self.host)
        self.sock = _Wire(self._sock, self._deadline, self._limit)

    def end(self) -> None:
        """Close whatever is open."""
        self.close()
        if self._sock is not None:
            self._sock.close()

    def _first_that_answers(self, addresses: Sequence[str]) -> socket.socket:
        last: OSError = OSError("no address")
        for address in addresses:
            try:
                return socket.create_connection(
                    (address, self.port), timeout=min(_CONNECT_FOR, self._deadline.left())
                )
            except OSError as error:
                last = error
        raise last


class _Wire:
    """A socket as http.client uses one. Each read gets no more time and bytes than are left of the whole."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, limit: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._limit = limit

    def sendall(self, data: bytes) -> None:
        """Send; the time left is for all of it."""
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client reads the answer from."""
        return io.BufferedReader(_Reading(self._sock, self._deadline, self._limit))

    def close(self) -> None:
        """Nothing yet: http.client lets go of the socket before it reads the body, as socket.makefile allows."""


class _Reading(io.RawIOBase):
    """The bytes of one answer."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, limit: int) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._left = limit

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come, within the time and size left."""
        if self._left <= 0:
            raise FetchFailed("too large")
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count
