"""Answers of the protocol endpoints: status, headers and bytes, ready for WSGI."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

Header = tuple[str, str]


class Answer(NamedTuple):
    """What one request gets."""

    status: int
    headers: Sequence[Header]
    body: bytes = b""


STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

#: Every answer carries these (ASVS 5 V3; RFC 9700 §4.16).
SECURITY_HEADERS: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
HSTS: Header = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
#: For answers without a page: nothing may run, nothing may frame them.
NO_CONTENT_POLICY: Header = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
NO_STORE: tuple[Header, ...] = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))

_PRIVATE: tuple[Header, ...] = (*NO_STORE, *SECURITY_HEADERS, NO_CONTENT_POLICY)
_JSON: tuple[Header, ...] = (("Content-Type", "application/json"), *_PRIVATE)


def json_answer(status: int, value: Any, *more: Header) -> Answer:
    """A JSON answer that no cache may keep."""
    body = orjson.dumps(value)
    return Answer(status, [*_JSON, ("Content-Length", str(len(body))), *more], body)


def text_answer(status: int, content_type: str, text: str, *more: Header) -> Answer:
    """An answer of one text, such as a JWT, that no cache may keep."""
    body = text.encode()
    headers = [("Content-Type", content_type), *_PRIVATE, ("Content-Length", str(len(body))), *more]
    return Answer(status, headers, body)


def redirect_answer(location: str, *more: Header) -> Answer:
    """A 303, so that no browser repeats a POST with its password (RFC 9700 §4.12)."""
    return Answer(303, [("Location", location), ("Content-Length", "0"), *_PRIVATE, *more])


def empty_answer(status: int, *more: Header) -> Answer:
    """An answer without a body."""
    return Answer(status, [("Content-Length", "0"), *_PRIVATE, *more])
