"""The clock of a request, its states, and what may follow on what; pure."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

#: GDPR Art. 12(3): one month, and two more for what is complex.
MONTHS = 1
MONTHS_MORE = 2
TEXT_LIMIT = 2000
_DECEMBER = 12
_SATURDAY = 5


class Action(StrEnum):
    """What officer or resident do with a request."""

    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    ASK = "ask"
    ANSWER = "answer"
    EXTEND = "extend"
    FULFIL = "fulfil"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


_LIVE = ("acknowledged", "accepted", "requires_action", "required_action_performed", "action_delayed")
#: From which states an action leads to which.
_MOVES: dict[Action, tuple[tuple[str, ...], str]] = {
    Action.ACKNOWLEDGE: (("initiated",), "acknowledged"),
    Action.ACCEPT: (("acknowledged", "required_action_performed", "action_delayed"), "accepted"),
    Action.ASK: (
        ("acknowledged", "accepted", "required_action_performed", "action_delayed"),
        "requires_action",
    ),
    Action.ANSWER: (("requires_action",), "required_action_performed"),
    Action.EXTEND: (_LIVE, "action_delayed"),
    Action.FULFIL: (_LIVE, "fulfilled"),
    Action.REFUSE: (_LIVE, "rejected"),
    Action.WITHDRAW: (("initiated", *_LIVE), "unfulfilled"),
}
#: What the person is told with it, in the officer's or their own words.
NEEDS_WORDS = frozenset({Action.ASK, Action.ANSWER, Action.EXTEND, Action.REFUSE})


def deadline(received_on: date, holidays: Collection[date], *, months: int = MONTHS) -> date:
    """The last day for an answer (GDPR Art. 12(3); Regulation 1182/71 Art. 3).

    The day of receipt is not counted; the time ends on the same date of the last month, or on its last day where it has
    no such date; never on a Saturday, a Sunday or a holiday, but on the next working day.
    """
    later = received_on.year * _DECEMBER + received_on.month - 1 + months
    year, month = divmod(later, _DECEMBER)
    month += 1
    last = date(year, month, min(received_on.day, monthrange(year, month)[1]))
    while last.weekday() >= _SATURDAY or last in holidays:
        last += timedelta(days=1)
    return last


def holidays_of(written: Collection[str], years: Collection[int]) -> frozenset[date]:
    """The days that settings name: whole dates, and such of every year (12-25)."""
    found = set()
    for one in written:
        if one.count("-") > 1:
            found.add(date.fromisoformat(one))
            continue
        month, day = map(int, one.split("-"))
        found |= {date(year, month, day) for year in years if day <= monthrange(year, month)[1]}
    return frozenset(found)


def moves(action: Action) -> tuple[tuple[str, ...], str]:
    """From which states an action is possible, and to which it leads."""
    return _MOVES[action]


def possible(state: str, *, is_extended: bool, is_overdue: bool) -> tuple[Action, ...]:
    """What may be done with a request now. It is made longer once, and only while its first month runs."""
    return tuple(
        action
        for action, (before, _) in _MOVES.items()
        if state in before and not (action is Action.EXTEND and (is_extended or is_overdue))
    )


def urgency(due_at: int, *, now: int, soon_for: int) -> str:
    """`red` when the time is over, `amber` shortly before, else `green`."""
    if now >= due_at:
        return "red"
    return "amber" if now >= due_at - soon_for else "green"


def tidy_text(text: str) -> str:
    """What was typed, without lines of blanks at its ends."""
    return text.replace("\r\n", "\n").strip()
