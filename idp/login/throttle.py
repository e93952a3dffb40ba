"""Guessing budgets: counted in the database by one atomic write before any guess is looked at (K26)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

_SPEND = text(
    "INSERT INTO login_budget (bucket, window_at, used) VALUES (:bucket, :window_at, 1) "
    "ON CONFLICT (bucket) DO UPDATE SET "
    "used = CASE WHEN login_budget.window_at = excluded.window_at THEN login_budget.used + 1 ELSE 1 END, "
    "window_at = excluded.window_at RETURNING used"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many guesses within one window, in seconds."""

    name: str
    guesses: int
    window_for: int


PER_NAME_AND_SOURCE = Limit("name-source", 10, 900)
PER_SOURCE = Limit("source", 100, 900)
#: Apart from passwords, so that a passkey still opens the door after somebody guessed passwords from there.
PASSKEYS_PER_SOURCE = Limit("passkey-source", 100, 900)
MAIL_PER_ADDRESS = Limit("mail-address", 3, 3600)
MAIL_PER_SOURCE = Limit("mail-source", 20, 3600)


_REFUND = text("UPDATE login_budget SET used = used - 1 WHERE bucket = :bucket AND used > 0")


def refund(connection: Any, limit: Limit, *parts: str) -> None:
    """Give one guess back: it was right, so it was no guess."""
    connection.execute(_REFUND, {"bucket": _bucket(limit, parts)})


def spend(connection: Any, limit: Limit, *parts: str, now: int) -> bool:
    """Count one guess; False once the budget of this window is used up. `parts` are hashed, never kept."""
    window_at = now - now % limit.window_for
    counted = {"bucket": _bucket(limit, parts), "window_at": window_at}
    used: int = connection.execute(_SPEND, counted).scalar_one()
    return used <= limit.guesses


def _bucket(limit: Limit, parts: tuple[str, ...]) -> str:
    return f"{limit.name}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()}"
