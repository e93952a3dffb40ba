"""When an account that is to be closed is spoken of again, and when it ends; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """What is due for an announced closure."""

    REMIND = "remind"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Times:
    """The instants of a closure: announced, told of again, closed."""

    begun_at: int
    reminds_at: int
    closes_at: int


def on_request(now: int, *, grace_for: int, reminder_for: int) -> Times:
    """A resident closes their account: the grace period, with a reminder shortly before its end."""
    reminder_for = min(reminder_for, grace_for - 1)
    return Times(now, now + grace_for - reminder_for, now + grace_for)


def for_dormant(now: int, *, notice_for: int) -> Times:
    """A dormant account: two warnings, each with as much time."""
    return Times(now, now + notice_for, now + 2 * notice_for)


def step(times: Times, reminded_at: int | None, *, now: int, warned_for: int) -> Step | None:
    """What is due now. Nobody is closed without having been told again at least `warned_for` seconds before."""
    if reminded_at is None:
        return Step.REMIND if now >= times.reminds_at else None
    told_in_time = now - reminded_at >= min(warned_for, times.closes_at - times.reminds_at)
    return Step.CLOSE if now >= times.closes_at and told_in_time else None


def is_dormant(signed_in_at: int | None, created_at: int, *, dormant_after: int, now: int) -> bool:
    """Whether nobody has signed in for too long; 0 means that no account is ever dormant."""
    return bool(dormant_after) and now - max(signed_in_at or 0, created_at) >= dormant_after
