"""How many codes an address gets, for each resident who is reached there: counted by one atomic write before a message leaves, never told to who asked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from idp.settings import MessageSettings

_TEN_MINUTES = 600
_DAY = 86_400

# A window begins with its first message. One that began far in the future belongs to a clock that was set back.
_SPEND = text(
    "INSERT INTO messaging_allowance (bucket_hash, since_at, used) VALUES (:bucket, :now, 1) "
    "ON CONFLICT (bucket_hash) DO UPDATE SET "
    "used = CASE WHEN messaging_allowance.since_at BETWEEN :oldest AND :newest "
    "THEN messaging_allowance.used + 1 ELSE 1 END, "
    "since_at = CASE WHEN messaging_allowance.since_at BETWEEN :oldest AND :newest "
    "THEN messaging_allowance.since_at ELSE :now END "
    "RETURNING used"
)

_USED = text(
    "SELECT used FROM messaging_allowance WHERE bucket_hash = :bucket AND since_at BETWEEN :oldest AND :newest"
)


def spend(connection: Any, recipient_index: bytes, rules: MessageSettings, *, now: int) -> bool:
    """Count one code to an address; False when it had enough. Those that are not sent count, too."""
    windows = ((_TEN_MINUTES, rules.codes_per_ten_minutes), (_DAY, rules.codes_per_day))
    used = [_count(connection, recipient_index, length, now=now) <= most for length, most in windows]
    return all(used)


def has_room(
    connection: Any, recipient_index: bytes, rules: MessageSettings, *, waiting: int, now: int
) -> bool:
    """Whether one more code to an address would leave after those that wait; counts nothing."""
    windows = ((_TEN_MINUTES, rules.codes_per_ten_minutes), (_DAY, rules.codes_per_day))
    return all(
        _used(connection, recipient_index, length, now=now) + waiting < most for length, most in windows
    )


def _used(connection: Any, recipient_index: bytes, length: int, *, now: int) -> int:
    since = {"oldest": now - length + 1, "newest": now + length}
    found = connection.execute(_USED, {"bucket": _bucket(recipient_index, length), **since}).scalar()
    return found or 0


def _bucket(recipient_index: bytes, length: int) -> bytes:
    return hashlib.sha256(length.to_bytes(4, "big") + recipient_index).digest()


def _count(connection: Any, recipient_index: bytes, length: int, *, now: int) -> int:
    bucket = _bucket(recipient_index, length)
    values = {"bucket": bucket, "now": now, "oldest": now - length + 1, "newest": now + length}
    found: int = connection.execute(_SPEND, values).scalar_one()
    return found
