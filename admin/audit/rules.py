"""Days and cursors as they stand in addresses, and cells that no spreadsheet takes for a formula; pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400
_NUMBER = re.compile(r"[0-9]{1,19}")
_MOST = 2**63 - 1
#: What makes a spreadsheet compute a cell instead of showing it (OWASP, CSV injection), full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def day_of(text: str) -> date | None:
    """A day written as 2026-11-22; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def begins_at(day: date, time_zone: str) -> int:
    """When a day begins in a town, in Unix seconds; 0 for days before 1970."""
    return max(0, int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).timestamp()))


def ends_at(day: date, time_zone: str) -> int:
    """When the next day begins."""
    return begins_at(day + timedelta(days=1), time_zone) if day < date.max else _MOST


def moment_of(text: str, time_zone: str) -> int | None:
    """A day and time written as 2026-11-22T09:30 in a town, in Unix seconds; None for anything else."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", text):
        return None
    try:
        found = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone))
        return max(0, int(found.timestamp()))
    except (ValueError, OverflowError):
        return None


def number_of(text: str) -> int | None:
    """A number that a row may have; None for anything else."""
    if not (text.isascii() and _NUMBER.fullmatch(text)):
        return None
    return int(text) if int(text) <= _MOST else None


def safe_cell(value: Any) -> str:
    """A value as a cell that a spreadsheet shows and never computes: an apostrophe before what would be a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def kept(filters: Mapping[str, str]) -> dict[str, str]:
    """The filters that say something, to stand in an address or on record."""
    return {name: value for name, value in filters.items() if value}
