"""When a signal is tried again, and what a client's answer to one means; pure."""

from __future__ import annotations

from enum import Enum

from idp.jobs.rules import Retries

#: A first retry at once, for a partner that was just restarting; about three hours in all: by then most of a partner's
#: own sessions have ended anyway.
RETRIES = Retries((2, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 3600))
#: A partner that cannot be reached is asked at least this often, in seconds, while others wait behind it.
LONGEST_REST = 60
#: A wish to be left alone is granted for so long, in seconds.
_LONGEST_WISH = 3600
_DIGITS = 9

_TAKEN = (200, 204)
_REFUSED = 400
_ACCEPTED = 202


class Verdict(Enum):
    """What an answer means."""

    TAKEN = "taken"
    REFUSED = "refused"
    LATER = "later"


def verdict(status: int) -> Verdict:
    """Back-Channel Logout 1.0 §2.8: 200 (204 is accepted, too), 400; anything else is the trouble of a machine."""
    if status in _TAKEN:
        return Verdict.TAKEN
    return Verdict.REFUSED if status == _REFUSED else Verdict.LATER


def event_verdict(status: int) -> Verdict:
    """RFC 8935 §2.2, §2.3: 202 (200 and 204 are accepted, too), 400; anything else is the trouble of a machine."""
    return Verdict.TAKEN if status == _ACCEPTED else verdict(status)


def wish(retry_after: str) -> int:
    """The seconds of a Retry-After header (RFC 9110 §10.2.3), within reason; 0 for none, or for a date."""
    is_number = retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= _DIGITS
    return min(int(retry_after), _LONGEST_WISH) if is_number else 0
