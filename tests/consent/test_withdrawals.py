"""Where a partner stands with what it was told, and taking back less than everything; on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import acts, records
from consent.withdrawals import choices, service
from consent.withdrawals.rules import SILENT_AFTER, Matter, State, may_follow, state_of
from consent.withdrawals.service import Confirmed, SubjectKey
from tests.consent.town import HOW, NOW, key_of

if TYPE_CHECKING:
    from tests.consent.town import Town

DUE = NOW + 14 * 86_400
KEY = SubjectKey(key_of("r1"))


def a_matter(**changed: Any) -> Matter:
    values: dict[str, Any] = dict.fromkeys(Matter.__dataclass_fields__) | {
        "id": "m1", "resident_id": "r1", "client_id": "reports", "event": "consent-withdrawn", "details": {},
        "channel": "event", "created_at": NOW, "due_at": DUE,
    }  # fmt: skip
    return Matter(**values | changed)


@pytest.mark.parametrize(
    ("changed", "after", "state"),
    [
        ({}, 0, State.WAITING),
        ({}, SILENT_AFTER - 1, State.WAITING),
        ({}, SILENT_AFTER, State.SILENT),
        ({"told_at": NOW}, SILENT_AFTER, State.WAITING),
        ({"told_at": NOW}, 7 * 86_400 - 1, State.WAITING),
        ({"told_at": NOW}, 7 * 86_400, State.SILENT),
        ({"told_at": NOW}, 14 * 86_400 - 1, State.SILENT),
        ({"told_at": NOW}, 14 * 86_400, State.OVERDUE),
        ({"channel": "none"}, 0, State.NO_ADDRESS),
        ({"confirmed_at": DUE, "outcome": "deleted"}, 30 * 86_400, State.CONFIRMED),
        ({"confirmed_at": DUE + 1, "outcome": "deleted"}, 30 * 86_400, State.CONFIRMED_LATE),
        ({"closed_at": DUE, "closed_by": "o1"}, 30 * 86_400, State.CLOSED),
        ({"channel": "none", "closed_at": DUE, "closed_by": "o1"}, 30 * 86_400, State.CLOSED),
    ],
)
def test_silence_turns_amber_then_red(changed: dict[str, Any], after: int, state: State) -> None:
    """consent.md: amber after half of the time, or when the news was not even taken; red at the due date."""
    assert state_of(a_matter(**changed), now=NOW + after) is state


@given(
    st.integers(1, 10**7), st.integers(0, 10**7), st.none() | st.integers(0, 10**7), st.integers(0, 2 * 10**7)
)
def test_without_a_word_a_matter_only_gets_redder(
    within: int, first: int, told: int | None, later: int
) -> None:
    """As time goes on, whatever the numbers; being told on the way never makes it worse."""
    order = [State.WAITING, State.SILENT, State.OVERDUE]
    matter = a_matter(due_at=NOW + within, told_at=None if told is None else NOW + told)
    before, after = (state_of(matter, now=NOW + at) for at in (first, first + later))
    assert order.index(before) <= order.index(after)
    assert (after in {State.OVERDUE, State.NO_ADDRESS}) == (first + later >= within)


def test_only_a_deletion_follows() -> None:
    assert may_follow("restricted", "deleted")
    assert may_follow("kept_by_law", "deleted")
    assert not may_follow("deleted", "restricted")
    assert not may_follow("restricted", "kept_by_law")


def begin(town: Town, matter_id: str, **changed: Any) -> Matter:
    values: dict[str, Any] = {
        "resident_id": "r1", "client_id": "reports", "event": "consent-withdrawn",
        "details": {"claims": ["district"], "partial": False}, "channel": "event", "due_at": DUE, "now": NOW,
    }  # fmt: skip
    service.begin(town.connection, matter_id=matter_id, **values | changed)
    found = service.find(town.connection, matter_id)
    assert found is not None
    return found


def test_each_word_is_written_once_and_logged_once(town: Town) -> None:
    """Told, reminded, confirmed: one conditional write and one act each; the log verifies."""
    connection, matter = town.connection, begin(town, "m1")
    assert service.told(connection, matter, key=KEY, jti="j1", now=NOW + 1)
    assert not service.told(connection, matter, key=KEY, jti="j2", now=NOW + 2)
    assert service.reminded(connection, matter, staff_id="o1", key=KEY, now=NOW + 3)
    stale = matter  # as another process would have read it
    said: dict[str, Any] = {"outcome": "deleted", "reason": "", "key": KEY, "now": NOW + 4}
    assert service.confirm(connection, stale, **said) is Confirmed.NEW
    assert service.confirm(connection, stale, **said) is Confirmed.AGAIN
    assert service.confirm(connection, stale, **{**said, "outcome": "restricted"}) is Confirmed.CONTRADICTED
    assert not service.close(connection, stale, staff_id="o1", reason="done", key=KEY, now=NOW + 5)
    assert not service.reminded(connection, stale, staff_id="o1", key=KEY, now=NOW + 5)
    kinds = [one.kind for one in acts.about(connection, "r1")]
    assert kinds == ["partner_confirmed", "partner_reminded", "partner_told"]
    assert town.integrate()
    assert town.verify() == []


def test_the_queue_has_what_is_red_in_pages_by_due_date(town: Town) -> None:
    for number in range(5):
        begin(town, f"m{number}", due_at=DUE + number % 3)
    begin(town, "told-by-nobody", channel="none", due_at=DUE + 90)
    confirmed, closed = begin(town, "confirmed"), begin(town, "closed")
    service.confirm(town.connection, confirmed, outcome="deleted", reason="", key=KEY, now=NOW)
    service.close(town.connection, closed, staff_id="o1", reason="by letter", key=KEY, now=NOW)
    assert [one.id for one in service.awaited(town.connection, now=NOW)] == ["told-by-nobody"]
    now, seen, after = DUE + 2, list[str](), (-1, "")
    while page := service.awaited(town.connection, now=now, after=after, limit=2):
        seen += [one.id for one in page]
        after = (page[-1].due_at, page[-1].id)
    assert seen == ["m0", "m3", "m1", "m4", "m2", "told-by-nobody"]
    assert service.count_awaited(town.connection, now=now) == 6


def test_the_newest_of_each_partner(town: Town) -> None:
    begin(town, "old")
    begin(town, "new", now=NOW + 1)
    begin(town, "tax", client_id="tax")
    begin(town, "other", resident_id="r2")
    found = service.newest_by_client(town.connection, "r1")
    assert {client: one.id for client, one in found.items()} == {"reports": "new", "tax": "tax"}
    assert [one.id for one in service.of_client(town.connection, "r1", "reports")] == ["new", "old"]


def by(control: str = "test") -> choices.Expressed:
    return choices.Expressed("r1", key_of("r1"), control, "en", HOW)


def agreed(town: Town, **more: Any) -> str:
    purpose_id = town.purpose(optional=["email", "phone_number"], **more)
    both = ["district", "email", "phone_number"]
    town.event(purpose_id, claims_offered=both, claims_chosen=["district", "email"])
    return purpose_id


def test_sharing_less_keeps_what_is_ticked_and_what_is_needed(town: Town) -> None:
    purpose_id = agreed(town)
    taken = choices.narrow(town.connection, "reports", purpose_id, [], by("share-less-button"), now=NOW + 1)
    assert taken == choices.TakenBack(("reports",), ("email",), partial=True)
    choice = records.current_choices(town.connection, "r1", "reports")[purpose_id]
    assert (choice.state, choice.claims_chosen) == ("narrowed", ("district",))
    assert choice.claims_offered == ("district", "email", "phone_number")
    assert town.integrate()
    assert town.verify() == []


def test_sharing_less_never_adds_anything(town: Town) -> None:
    """Neither what was refused before, nor what was never offered; ticking everything changes nothing."""
    purpose_id = agreed(town)
    keep = ["email", "phone_number", "birthdate"]
    assert choices.narrow(town.connection, "reports", purpose_id, keep, by(), now=NOW + 1) is None
    assert records.current_choices(town.connection, "r1", "reports")[purpose_id].state == "given"


def test_a_purpose_of_which_nothing_is_left_has_ended(town: Town) -> None:
    purpose_id = town.purpose(required=(), optional=["email"])
    town.event(purpose_id, claims_offered=["email"], claims_chosen=["email"])
    taken = choices.narrow(town.connection, "reports", purpose_id, [], by(), now=NOW + 1)
    assert taken is not None
    assert not taken.partial
    choice = records.current_choices(town.connection, "r1", "reports")[purpose_id]
    assert (choice.state, choice.claims_offered, choice.claims_chosen) == ("withdrawn", ("email",), ())


def test_one_purpose_ends_and_the_others_stay(town: Town) -> None:
    first, second = agreed(town), agreed(town, key="reminders")
    taken = choices.withdraw_one(town.connection, "reports", second, by(), now=NOW + 1)
    assert taken == choices.TakenBack(("reminders",), ("district", "email"), partial=True)
    now_choices = records.current_choices(town.connection, "r1", "reports")
    assert (now_choices[first].state, now_choices[second].state) == ("given", "withdrawn")
    assert choices.withdraw_one(town.connection, "reports", second, by(), now=NOW + 2) is None


def test_what_rests_on_another_basis_cannot_be_taken_back(town: Town) -> None:
    """Nor what another resident, or another service, has."""
    task = town.purpose(key="task", basis="public_task")
    town.event(task, "informed")
    mine = agreed(town)
    connection = town.connection
    assert choices.withdraw_one(connection, "reports", task, by(), now=NOW) is None
    assert choices.narrow(connection, "reports", task, [], by(), now=NOW) is None
    assert choices.withdraw_one(connection, "elsewhere", mine, by(), now=NOW) is None
    assert choices.withdraw_one(connection, "reports", "nosuch", by(), now=NOW) is None
    found = records.current_choices(connection, "r1", "reports")
    facts = choices.facts_of(connection, found)
    assert choices.may_object(facts[task], found[task])
    assert not choices.may_object(facts[mine], found[mine])
