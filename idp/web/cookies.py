"""Cookies: opaque random values and nothing else. What they stand for is a row of ours.

Over https every name carries `__Host-`: no subdomain and no plain-http page can set it (K18).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.http import dump_cookie

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
        """Set the cookie for the whole host."""
        response.set_cookie(self.name, value, max_age=max_age, **self._attributes)

    def header(self, value: str) -> tuple[str, str]:
        """The same as `put`, for an answer that is not made by Flask."""
        return "Set-Cookie", dump_cookie(self.name, value, **self._attributes)

    def drop(self, response: Response) -> None:
        """Remove the cookie."""
        response.delete_cookie(self.name, **self._attributes)

    @property
    def _attributes(self) -> dict[str, Any]:
        return {
            "path": "/",
            "secure": self.secure,
            "httponly": not self.is_readable,
            "samesite": "None" if self.is_readable and self.secure else "Lax",
        }


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
