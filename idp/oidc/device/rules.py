"""What a user code looks like, and how one that was typed is read; pure."""

from __future__ import annotations

import unicodedata

#: Letters that make no words and are not taken for digits (RFC 8628 §6.1).
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
#: 34 bits: 20 more than the town has guesses while a code lives (RFC 8628 §5.1).
LENGTH = 8
_GROUP = 4
#: No code is as long, however it was grouped.
_TYPED_LIMIT = 40

#: A device waits so long between two polls, in seconds, and so much longer after each that came too soon (§3.5).
POLL_EVERY = 5
SLOWER_BY = 5
#: Seconds are counted whole, so a poll that is on time may seem to come one too soon.
POLL_LEEWAY = 1


def code_from(mac: bytes) -> str:
    """The user code that 32 random-looking bytes stand for; each letter as likely as any other."""
    number = int.from_bytes(mac)
    letters = []
    for _ in range(LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)


def shown(code: str) -> str:
    """A user code as people read it, such as WDJB-MJHT."""
    return "-".join(code[at : at + _GROUP] for at in range(0, LENGTH, _GROUP))


def typed(unverified_text: str) -> str | None:
    """The user code that was typed: case and all that is no letter are of no matter; None when it cannot be one."""
    if len(unverified_text) > _TYPED_LIMIT:
        return None
    plain = unicodedata.normalize("NFKC", unverified_text).upper()
    code = "".join(one for one in plain if one.isalnum())
    return code if len(code) == LENGTH and set(code).issubset(ALPHABET) else None
