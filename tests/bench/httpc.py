"""A lean keep-alive HTTP/1.1 client for loopback: the load generator shares the machine with the servers.

It has no time limit of its own; the runner bounds each batch of flows as a whole.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httptools

from tests.bench.agent import Agent, Response

if TYPE_CHECKING:
    from collections.abc import Sized

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class NotLoopbackError(ValueError):
    """The address is another machine's: the benchmark never loads one."""


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self) -> None:
        self.alive = False
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._response = Response()
        self._chunks: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        try:
            if self._parser:
                self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key == "set-cookie":
            self._response.set_cookies.append(text)
        elif key == "location":
            self._response.location = text
        else:
            self._response.headers[key] = text

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        parser, self._parser = self._parser, None
        self._response.status = parser.get_status_code() if parser else 0
        self._response.body = b"".join(self._chunks)
        if parser and not parser.should_keep_alive():
            self.close()
        if self._answer and not self._answer.done():
            self._answer.set_result(self._response)

    def exchange(self, request: bytes) -> asyncio.Future[Response]:
        """Write one request; the future holds its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._response, self._chunks = Response(), []
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self.alive = False
        if self._transport:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)


class HttpAgent(Agent):
    """One user agent with one keep-alive connection to each origin."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: dict[str, _Connection] = {}

    async def send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
        """Carry one request; a kept connection that the server closed meanwhile is opened anew, once."""
        origin, target = _split(url)
        request = _written(method, origin, target, headers, body)
        kept = self._connections.get(origin)
        if kept and kept.alive:
            try:
                return await kept.exchange(request)
            except ConnectionError:
                pass
        return await (await self._connect(origin)).exchange(request)

    async def _connect(self, origin: str) -> _Connection:
        host, port = _loopback(origin)
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, port)
        self._connections[origin] = connection
        return connection

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


@lru_cache(maxsize=64)
def _loopback(origin: str) -> tuple[str, int]:
    parts = urlsplit(f"//{origin}")
    if parts.hostname not in LOOPBACK:
        raise NotLoopbackError(f"{parts.hostname} is not this machine: the benchmark only loads loopback")
    return ("::1" if parts.hostname == "::1" else "127.0.0.1"), parts.port or 80


def _split(url: str) -> tuple[str, str]:
    origin, _, target = url.partition("://")[2].partition("/")
    return origin, "/" + target


def _written(method: str, origin: str, target: str, headers: dict[str, str], body: Sized) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {origin}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + cast("bytes", body)
