"""How a sent code looks, how long it lives, and how an address is shown to whoever proved the password; pure."""

from __future__ import annotations

from enum import StrEnum

from idp.login.levels import Method

DIGITS = 8
#: How long a code lives, in seconds (ASVS 6.5.5, NIST SP 800-63B-4 §3.1.3.2: at most ten minutes).
LIVES_FOR = 600
#: How often a code may be typed wrong before it is worth nothing.
TRIES = 5


class Channel(StrEnum):
    """By what a code is sent."""

    EMAIL = "email"
    SMS = "sms"

    @property
    def method(self) -> Method:
        """What a right code proves."""
        return Method.EMAIL_CODE if self is Channel.EMAIL else Method.SMS_CODE

    @property
    def contact(self) -> str:
        """The kind of contact point it goes to."""
        return "email" if self is Channel.EMAIL else "phone"

    @property
    def guess(self) -> str:
        """The kind of guess that typing one is."""
        return "mail-code" if self is Channel.EMAIL else "sms-code"

    @property
    def page(self) -> str:
        """Where it is typed."""
        return f"/login/{self.method.value}"


def normal_code(typed: str) -> str | None:
    """The eight digits, however they were grouped; None when it is no code."""
    code = "".join(typed.split()).replace("-", "")
    return code if len(code) == DIGITS and code.isascii() and code.isdigit() else None


def grouped(code: str) -> str:
    """In two groups, to be read and typed."""
    half = DIGITS // 2
    return f"{code[:half]} {code[half:]}"


def masked(value: str) -> str:
    """Enough of an address or number for its owner to know it: m•••@example.org, •••678."""
    local, at, domain = value.partition("@")
    if at:
        return f"{local[:1]}•••@{domain}"
    digits = "".join(letter for letter in value if letter.isdigit())
    return f"•••{digits[-3:]}"
