"""Instants for people: in the town's time zone and the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime

from flask_babel import format_datetime


def day_time(at: int | None) -> str:
    """An instant in Unix seconds as the reader writes day and time; empty for None."""
    if at is None:
        return ""
    text: str = format_datetime(datetime.fromtimestamp(at, UTC), "medium")
    return text
