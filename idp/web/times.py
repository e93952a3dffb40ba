"""Instants for people: in the town's time zone and the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime

from flask_babel import format_date, format_time, get_locale


def day_time(at: int | None) -> str:
    """An instant in Unix seconds as the reader writes day and time, to the minute; empty for None."""
    if at is None:
        return ""
    moment = datetime.fromtimestamp(at, UTC)
    pattern: str = str(get_locale().datetime_formats["medium"])
    return pattern.replace("{1}", format_date(moment, "medium")).replace("{0}", format_time(moment, "short"))


def day(at: int) -> str:
    """The day of an instant, written out."""
    return str(format_date(datetime.fromtimestamp(at, UTC), "long"))
