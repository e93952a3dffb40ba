"""Where a partner stands with something it was told, and what it may confirm; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from consent.rules import OUTCOMES

Outcome = Literal["deleted", "restricted", "kept_by_law"]

#: A partner that has not even taken what it was told is called silent after so many seconds: by then its tries are over.
SILENT_AFTER: Final = 4 * 3600
REASON_LIMIT: Final = 300


class State(Enum):
    """What a resident and an officer are told about it."""

    WAITING = "waiting"
    #: Amber: half of the time has passed, or the partner did not even take the news.
    SILENT = "silent"
    #: Red: it should have confirmed by now, or there is no way to tell it.
    OVERDUE = "overdue"
    NO_ADDRESS = "no_address"
    CONFIRMED = "confirmed"
    CONFIRMED_LATE = "confirmed_late"
    #: An officer has seen to it.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that one partner was told about one resident; instants in Unix seconds."""

    id: str
    resident_id: str
    client_id: str
    event: str
    details: dict[str, Any]
    channel: str
    created_at: int
    due_at: int
    told_at: int | None
    reminded_at: int | None
    confirmed_at: int | None
    outcome: Outcome | None
    reason: str | None
    closed_at: int | None
    closed_by: str | None
    closed_reason: str | None

    @property
    def is_partial(self) -> bool:
        """Whether the service keeps something else that the resident agreed to."""
        return bool(self.details.get("partial"))


def state_of(matter: Matter, *, now: int) -> State:
    """What stands now. A confirmation counts however late, and even after an officer has closed the matter."""
    if matter.confirmed_at is not None:
        return State.CONFIRMED if matter.confirmed_at <= matter.due_at else State.CONFIRMED_LATE
    if matter.closed_at is not None:
        return State.CLOSED
    if matter.channel == "none":
        return State.NO_ADDRESS
    if now >= matter.due_at:
        return State.OVERDUE
    is_half_over = now >= matter.created_at + (matter.due_at - matter.created_at) // 2
    is_untold = matter.told_at is None and now >= matter.created_at + SILENT_AFTER
    return State.SILENT if is_half_over or is_untold else State.WAITING


def confirmation_problem(outcome: str, reason: str) -> str | None:
    """Why something is no confirmation, in the partner's words; None when it is one."""
    if outcome not in OUTCOMES:
        return f"outcome must be one of {', '.join(OUTCOMES)}"
    if outcome == "kept_by_law" and not reason.strip():
        return "reason is missing: which law, and until when"
    if len(reason) > REASON_LIMIT or not reason.isprintable():
        return f"reason must have at most {REASON_LIMIT} characters, in one line"
    return "reason must not hold e-mail addresses" if "@" in reason else None


def may_follow(before: str, after: str) -> bool:
    """Whether a partner that has confirmed one thing may confirm another: what was kept can be deleted in the end."""
    return before != "deleted" and after == "deleted"
