"""The time limit of a request in the town's calendar."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from idp.rights.rules import MONTHS, deadline, holidays_of

if TYPE_CHECKING:
    from idp.settings import Settings


def due_at(settings: Settings, received_at: int, *, months: int = MONTHS) -> int:
    """When the last day for an answer is over, in the town's time zone."""
    zone = ZoneInfo(settings.town.time_zone)
    received_on = datetime.fromtimestamp(received_at, UTC).astimezone(zone).date()
    years = range(received_on.year, received_on.year + 2)
    last = deadline(received_on, holidays_of(settings.rights.holidays, years), months=months)
    return int(datetime.combine(last + timedelta(days=1), time(), zone).timestamp())
