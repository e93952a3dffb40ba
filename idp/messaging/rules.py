"""When a message is tried again, when a reminder may leave, how long a text message is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Pauses between tries, in seconds; a message that is turned down once more after the last one is dead.
PAUSES = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 3600, 3600, 7200)
#: While a gateway cannot be reached, nobody is at fault: it is asked at least this often, in seconds.
LONGEST_REST = 900
#: A pause is stretched by up to this part of it, so that not everything comes back at once.
JITTER = 0.2


def pause(tries: int, chance: float, *, longest: int = PAUSES[-1]) -> int:
    """Seconds to wait after so many failed tries (1 or more). `chance` is random, from 0 to 1."""
    plain = min(PAUSES[min(tries, len(PAUSES)) - 1], longest)
    return plain + int(plain * JITTER * chance)


def is_given_up(refusals: int) -> bool:
    """Whether a message was turned down so often that it is dead."""
    return refusals > len(PAUSES)


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


# --- the length of text messages (3GPP TS 23.038 §6.2.1, TS 23.040 §9.2.3.24.1) ---

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
#: Typographic signs that say the same as one of the alphabet of text messages, and would halve their length.
_PLAIN = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "...",
        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00ad": None, "\u200b": None,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Length:
    """How a text travels: `gsm-7` or `ucs-2`, in how many segments."""

    encoding: str
    units: int
    segments: int


def plain_signs(text: str) -> str:
    """The text with plain quotes, dashes and blanks; letters stay as they are."""
    return text.translate(_PLAIN)


def sms_length(text: str) -> Length:
    """How long a text message is: 160 or 70 units in one segment, 153 or 67 in each of several."""
    if all(sign in _GSM or sign in _GSM_EXTENDED for sign in text):
        units = sum(2 if sign in _GSM_EXTENDED else 1 for sign in text)
        return Length("gsm-7", units, _segments(units, 160, 153))
    units = len(text.encode("utf-16-le")) // 2
    return Length("ucs-2", units, _segments(units, 70, 67))


def _segments(units: int, alone: int, each: int) -> int:
    return 1 if units <= alone else -(-units // each)
