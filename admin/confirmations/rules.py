"""What counts as a reason to close a matter, and when a partner may be reminded; pure."""

from __future__ import annotations

REASON_LIMIT = 300
_LEAST = 10
#: A partner is reminded at most so often, in seconds.
REMIND_EVERY = 3600


def tidy_reason(text: str) -> str:
    """In single spaces, without anything invisible: the resident reads it."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def reason_problem(reason: str) -> str | None:
    """Why a tidy reason is refused: missing, too_short, too_long or address; None when it is one."""
    if not reason:
        return "missing"
    if len(reason) > REASON_LIMIT:
        return "too_long"
    if "@" in reason:
        return "address"
    return "too_short" if len(reason) < _LEAST else None


def may_remind(reminded_at: int | None, *, now: int) -> bool:
    """Whether the last reminder lies far enough back; a clock that was set back reminds nobody twice."""
    return reminded_at is None or now - reminded_at >= REMIND_EVERY
