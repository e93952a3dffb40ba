"""One HTTPS request to a gateway that the operator named: no redirects, no proxies, small answers."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from idp.messaging.outcomes import GatewayAway
from idp.settings import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Seconds for a connection, and for each read.
TIMEOUT = 15
_LARGEST_ANSWER = 65_536


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `said` is its JSON object, empty when it was none."""

    status: int
    said: dict[str, Any]


def call(request: Call, ca_file: Path | None) -> Reply:
    """Make the request.

    Raises:
        GatewayAway: when there was no answer.
    """
    parts = urlsplit(request.url)
    assert parts.scheme == "https" or is_loopback(request.url), (
        "settings allow plain http on this machine alone"
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connection(parts.scheme, parts.hostname or "", parts.port, ca_file)) as connection:
            connection.request(request.method, target, body=request.body, headers=dict(request.headers))
            answer = connection.getresponse()
            return Reply(answer.status, _json(answer.read(_LARGEST_ANSWER)))
    except (
        OSError,
        ValueError,
        http.client.HTTPException,
    ) as error:  # ValueError: settings that HTTP cannot carry
        raise GatewayAway(type(error).__name__) from None


def _connection(scheme: str, host: str, port: int | None, ca_file: Path | None) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
