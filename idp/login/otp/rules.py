"""Time steps and codes of RFC 6238; pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Length of a time step in seconds, and of a code in digits (RFC 6238 §4; what every app can do).
STEP = 30
DIGITS = 6
#: So many steps to either side a clock may be wrong (RFC 6238 §5.2).
WINDOW = 1


def code_at(secret: str, step: int) -> str:
    """The code of a time step (RFC 4226 §5.3 over SHA-1). `secret` is Base32."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[-1] & 0x0F
    number: int = struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def steps_of(secret: str, code: str, *, now: int) -> Iterator[int]:
    """The time steps around now of which this is the code, the oldest first. Every one is compared in constant time."""
    present = now // STEP
    for step in range(present - WINDOW, present + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            yield step


def normal_code(typed: str) -> str | None:
    """The six digits, however they were grouped; None when it is no code."""
    code = "".join(typed.split()).replace("-", "")
    return code if len(code) == DIGITS and code.isascii() and code.isdigit() else None


def grouped(secret: str) -> str:
    """A secret in groups of four, to be typed."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
