"""Cookies: opaque random values and nothing else. What they stand for is a row of ours.

Over https every name carries `__Host-`: no subdomain and no plain-http page can set it (K18).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of one app; `secure` when that app is reached by https.

    One that `is_readable` is for a script of ours in a frame on another site. Browsers send such a cookie there over
    https only; without it the frame works on the same site, which on one machine all ports are.
    """

    base: str
    secure: bool
    is_readable: bool = False

    @property
    def name(self) -> str:
        """The name as the browser sends it."""
        return f"__Host-{self.base}" if self.secure else self.base

    def read(self, cookies: Mapping[str, str]) -> str | None:
        """The unverified value, if it could be one of ours at all."""
        value = cookies.get(self.name)
        return value if value and len(value) == VALUE_LENGTH else None

    def put(self, response: Response, value: str, *, max_age: int | None = None) -> None:
        """Set the cookie for the whole host; for `max_age` seconds, or until the browser closes."""
        response.headers.add(*self.header(value, max_age=max_age))

    def header(self, value: str, *, max_age: int | None = None) -> tuple[str, str]:
        """The same as `put`, for an answer that is not made by Flask (RFC 6265 §4.1); `value` is URL-safe."""
        parts = [f"{self.name}={value}"]
        if max_age is not None:
            parts.append(f"Max-Age={max_age}")
        if self.secure:
            parts.append("Secure")
        if not self.is_readable:
            parts.append("HttpOnly")
        parts.append("Path=/")
        parts.append("SameSite=None" if self.is_readable and self.secure else "SameSite=Lax")
        return "Set-Cookie", "; ".join(parts)

    def drop(self, response: Response) -> None:
        """Remove the cookie."""
        self.put(response, "", max_age=0)


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters: cookies, codes, tokens, links."""
    return secrets.token_urlsafe(32)


VALUE_LENGTH = len(secrets.token_urlsafe(32))


def digest(secret: str) -> bytes:
    """SHA-256, all that is ever stored of a 256-bit secret."""
    return hashlib.sha256(secret.encode()).digest()


def equal(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())
