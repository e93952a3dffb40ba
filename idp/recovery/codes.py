"""Making and checking the codes of recoveries: only hashes are kept, and what is short is keyed and counted."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING

from idp.recovery.rules import ALPHABET, CODE_LENGTH

if TYPE_CHECKING:
    from keys.envelope import Vault

#: Digits that are typed from a message, and told to somebody trusted.
DIGITS = 8
COMPARE_DIGITS = 6
#: So often may digits be typed; each try is counted before they are looked at (K26).
TRIES = 5


def new_code() -> str:
    """80 random bits as 16 letters and digits that nobody mistakes for one another."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def new_digits(count: int) -> str:
    """So many random decimal digits."""
    return f"{secrets.randbelow(10**count):0{count}}"


def derived(vault: Vault, handle: str) -> tuple[str, str]:
    """The digits to be compared and the code to come back with, of a recovery with this handle.

    They follow from the handle, so the page can be shown again to the browser that has it, and to nobody else.
    """
    key = vault.subkey("recovery-code")
    digits = int.from_bytes(hmac.digest(key, f"compare {handle}".encode(), "sha256")) % 10**COMPARE_DIGITS
    raw = hmac.digest(key, f"return {handle}".encode(), "sha256")[:CODE_LENGTH]
    return f"{digits:0{COMPARE_DIGITS}}", "".join(ALPHABET[byte % len(ALPHABET)] for byte in raw)


def keyed_hash(vault: Vault, purpose: str, bound_to: str, digits: str) -> bytes:
    """What is kept of digits: without the town's key, trying all of them against a stolen database tells nothing."""
    return hmac.digest(vault.subkey("recovery-code"), f"{purpose}|{bound_to}|{digits}".encode(), "sha256")


def is_same(kept: bytes | None, computed: bytes) -> bool:
    """Compare in constant time; nothing kept is never the same."""
    return kept is not None and hmac.compare_digest(kept, computed)
