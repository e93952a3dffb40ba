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
    """One cookie of one app; `secure` when that app is reached by https."""

    base: str
    secure: bool

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
        response.set_cookie(
            self.name, value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def drop(self, response: Response) -> None:
        """Remove the cookie."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="Lax")


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
