"""One byte form per value, so that a digest or commitment can be computed again years later."""

from datetime import UTC, datetime
from typing import Any

import orjson


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8; equals RFC 8785 for the ASCII keys and integers used here."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def to_text(value: Any) -> str:
    """The same, as text for a column: what stands in the database is literally what was committed to."""
    return canonical(value).decode()


def moment(at: int) -> str:
    """An instant, in Unix seconds, as files and documents have it (RFC 3339, UTC)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def names(text: str) -> tuple[str, ...]:
    """The list of names held in a text column written by :func:`to_text`."""
    return tuple(orjson.loads(text))
