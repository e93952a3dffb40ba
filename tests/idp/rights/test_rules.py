"""The calendar of requests (GDPR Art. 12(3), Regulation 1182/71) and what may follow on what."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.rights import rules
from idp.rights.models import ENDED, OPEN
from idp.rights.rules import Action, deadline, holidays_of, possible, urgency

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
MONTHS = st.integers(1, 3)
SATURDAY = 5


@pytest.mark.parametrize(
    ("received", "last"),
    [
        ("2026-03-05", "2026-04-07"),  # Sunday the 5th, then Easter Monday
        ("2026-01-31", "2026-03-02"),  # no 31 February: its last day is a Saturday
        ("2024-01-31", "2024-02-29"),
        ("2026-02-10", "2026-03-10"),
        ("2026-11-25", "2026-12-28"),  # Christmas on a Friday, a weekend, Monday
        ("2026-12-01", "2027-01-04"),  # New Year's Day on a Friday
    ],
)
def test_the_month_ends_as_the_regulation_says(received: str, last: str) -> None:
    """The same date next month, else its last day; never on a day off."""
    holidays = holidays_of(["2026-04-06", "12-25", "01-01"], range(2026, 2028))
    assert deadline(date.fromisoformat(received), holidays) == date.fromisoformat(last)


def test_three_months_from_the_receipt_are_counted_as_one() -> None:
    """An extension counts from the receipt: not from where weekends had moved the first end to."""
    assert deadline(date(2026, 3, 5), frozenset(), months=3) == date(2026, 6, 5)


@given(DAYS, MONTHS, st.frozensets(DAYS, max_size=30))
def test_a_limit_ends_on_a_working_day_and_as_early_as_it_may(
    received: date, months: int, holidays: frozenset[date]
) -> None:
    """Regulation 1182/71 Art. 3(4): the next working day, and no later."""
    last = deadline(received, holidays, months=months)
    count = received.year * 12 + received.month - 1 + months
    year, month = divmod(count, 12)
    nominal = date(year, month + 1, min(received.day, monthrange(year, month + 1)[1]))
    assert last >= nominal
    assert last.weekday() < SATURDAY
    assert last not in holidays
    day = nominal
    while day < last:
        assert day.weekday() >= SATURDAY or day in holidays
        day += timedelta(days=1)


@given(DAYS, DAYS, st.frozensets(DAYS, max_size=10))
def test_who_asks_later_waits_no_less(one: date, other: date, holidays: frozenset[date]) -> None:
    """Limits keep the order of receipts."""
    first, second = sorted((one, other))
    assert deadline(first, holidays) <= deadline(second, holidays)


def test_a_holiday_that_not_every_year_has() -> None:
    """29 February written as a holiday of every year."""
    assert holidays_of(["02-29"], range(2027, 2029)) == {date(2028, 2, 29)}


def test_what_has_ended_goes_no_further() -> None:
    """An answer is an answer."""
    for state in ENDED:
        assert possible(state, is_extended=False, is_overdue=False) == ()


def test_every_move_leads_to_a_known_state() -> None:
    """The rules and the table know the same states."""
    for action in Action:
        before, after = rules.moves(action)
        assert {*before, after} <= {*OPEN, *ENDED}


def test_the_time_is_made_longer_once_and_in_its_first_month() -> None:
    """GDPR Art. 12(3): with reasons told inside the first month."""
    assert Action.EXTEND in possible("acknowledged", is_extended=False, is_overdue=False)
    assert Action.EXTEND not in possible("action_delayed", is_extended=True, is_overdue=False)
    assert Action.EXTEND not in possible("acknowledged", is_extended=False, is_overdue=True)


def test_urgency_turns_amber_then_red() -> None:
    """By the second."""
    seen = [urgency(1000, now=now, soon_for=100) for now in (899, 900, 999, 1000)]
    assert seen == ["green", "amber", "amber", "red"]
