"""What counts as a reason; pure."""

from __future__ import annotations

import unicodedata

from idp.accounts.rules import composed

REASON_LIMIT = 500
#: "Because" is no reason; "access request 2026-114" is one.
_WORDS = 3
_LETTERS = 10
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}


def tidy_reason(text: str) -> str:
    """The reason as it is kept and shown to the resident: single spaces, nothing invisible in it."""
    spaced = " ".join((composed(text, limit=REASON_LIMIT) or text).split())
    return "".join(letter for letter in spaced if unicodedata.category(letter) not in _INVISIBLE)


def reason_problem(reason: str) -> str | None:
    """Why a tidy reason is refused: missing, too_short, too_long or address; None when it is one."""
    if not reason:
        return "missing"
    if len(reason) > REASON_LIMIT:
        return "too_long"
    if "@" in reason:
        return "address"
    letters = sum(letter.isalnum() for letter in reason)
    return "too_short" if len(reason.split()) < _WORDS or letters < _LETTERS else None
