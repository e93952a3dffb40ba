"""When a message is tried again, when a reminder may leave, which signs a text message is written with. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from idp.jobs.rules import Retries

#: Pauses between tries, in seconds; a message that is turned down once more after the last one is dead.
PAUSES = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 3600, 3600, 7200)
#: While a gateway cannot be reached, nobody is at fault: it is asked at least this often, in seconds.
LONGEST_REST = 900
RETRIES = Retries(PAUSES)


def allowance(resident_id: str, *, is_theirs: bool) -> str:
    """Among which codes to an address one for this resident is counted: several may share it, and each has their own.

    What strangers ask for in a resident's name uses up nothing of what is theirs: what was asked for after a proof, or
    in a browser where they signed in before (K28).
    """
    return f" {resident_id} own" if is_theirs else f" {resident_id}"


def leaves_at(now: int, *, quiet_from: int, quiet_until: int, time_zone: str) -> int:
    """When a reminder may leave: now, or at the end of the quiet hours of the town's clock."""
    here = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(time_zone))
    if not _is_quiet(here.hour, quiet_from, quiet_until):
        return now
    day = here.date() if here.hour < quiet_until else here.date() + timedelta(days=1)
    end = datetime.combine(day, time(quiet_until), ZoneInfo(time_zone))
    return max(int(end.timestamp()), now + 1)


def _is_quiet(hour: int, quiet_from: int, quiet_until: int) -> bool:
    if quiet_from <= quiet_until:
        return quiet_from <= hour < quiet_until
    return hour >= quiet_from or hour < quiet_until


#: Typographic signs that say the same as one of the alphabet of text messages, and would halve their length.
_PLAIN = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "...",
        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00ad": None, "\u200b": None,
    }
)  # fmt: skip


def plain_signs(text: str) -> str:
    """The text with plain quotes, dashes and blanks; letters stay as they are."""
    return text.translate(_PLAIN)
