"""Roles, work names, and the time-based codes of authenticator apps (RFC 6238); pure."""

from __future__ import annotations

import hmac

import pyotp

ROLES = ("clerk", "officer", "operator")
#: Codes change every 30 seconds (RFC 6238 §5.2).
STEP = 30
#: One step to either side is accepted, for clocks that differ and people who type slowly.
DRIFT = 1
#: So many wrong codes in a row and the account waits for an operator (NIST SP 800-63B-4 §3.2.2).
CODE_FAILURES = 100
_DIGITS = 6


def tidy_code(text: str) -> str | None:
    """The six digits of a code, with or without spaces between them; None when it is not one."""
    code = "".join(text.split())
    return code if len(code) == _DIGITS and code.isascii() and code.isdigit() else None


def matching_step(secret: str, unverified_code: str, *, now: int) -> int | None:
    """The time step that a code belongs to, within one step of now; None when it belongs to none.

    `secret` is base32. The caller still has to spend the step: a code works once (RFC 6238 §5.2).
    """
    code = tidy_code(unverified_code)
    if code is None:
        return None
    totp = pyotp.TOTP(secret, digits=_DIGITS, interval=STEP)
    step = now // STEP
    matching = [
        candidate
        for candidate in range(step - DRIFT, step + DRIFT + 1)
        if hmac.compare_digest(totp.generate_otp(candidate), code)
    ]
    return matching[-1] if matching else None
