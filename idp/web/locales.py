"""How a language writes, for pages and mails alike."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time

_LOCALES = {"en": "en_GB"}


def locale_of(language: str) -> str:
    """The conventions of a language: English dates are written day first, as in Europe."""
    return _LOCALES.get(language, language)


def day_time_in(language: str, at: int, time_zone: str) -> str:
    """An instant in Unix seconds as a language writes day and time, to the minute."""
    locale = Locale.parse(locale_of(language))
    moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(time_zone))
    date, time = format_date(moment, "medium", locale), format_time(moment, "short", locale=locale)
    return str(locale.datetime_formats["medium"]).replace("{1}", date).replace("{0}", time)


def day_in(language: str, at: int, time_zone: str) -> str:
    """The day of an instant in Unix seconds, written out."""
    moment = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(time_zone))
    return format_date(moment, "long", Locale.parse(locale_of(language)))
