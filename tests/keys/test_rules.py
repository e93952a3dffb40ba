"""The rotation schedule as tables, and as laws over any history."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.rules import (
    Create,
    KeyState,
    Promote,
    Retire,
    RotationRefused,
    RotationSchedule,
    Step,
    by_hand,
    due,
)

SCHEDULE = RotationSchedule(publish_for=10, sign_for=100, keep_for=50)
SLOT = ("tokens", "ES256")
OTHER = ("tokens", "RS256")


def current(at: int = 0, kid: str = "c") -> KeyState:
    return KeyState(kid, *SLOT, "current", created_at=at, activated_at=at)


def upcoming(at: int = 0, kid: str = "n") -> KeyState:
    return KeyState(kid, *SLOT, "next", created_at=at)


def previous(demoted_at: int, kid: str = "p") -> KeyState:
    return KeyState(kid, *SLOT, "previous", created_at=0, activated_at=0, demoted_at=demoted_at)


def steps(*keys: KeyState, now: int) -> list[Step]:
    return due(keys, SCHEDULE, slots=[SLOT], now=now)


PROMOTION = [Promote(*SLOT, "n", "c"), Create(*SLOT, "next")]


@pytest.mark.parametrize(
    ("keys", "now", "expected"),
    [
        # an empty database gets both keys at once
        ([], 0, [Create(*SLOT, "current"), Create(*SLOT, "next")]),
        # a next key is always published ahead
        ([current()], 1, [Create(*SLOT, "next")]),
        ([current(), previous(demoted_at=0)], 1, [Create(*SLOT, "next")]),
        # nothing before sign_for is over, everything at its very end
        ([current(), upcoming()], 99, []),
        ([current(), upcoming()], 100, PROMOTION),
        ([current(), upcoming()], 100_000, PROMOTION),
        # a young next key waits for publish_for, though the current one has signed for longer than planned
        ([current(), upcoming(at=95)], 100, []),
        ([current(), upcoming(at=95)], 104, []),
        ([current(), upcoming(at=95)], 105, PROMOTION),
        # without any current key even a young one must sign
        ([upcoming(at=5)], 6, [Promote(*SLOT, "n", None), Create(*SLOT, "next")]),
        # a previous key is kept for keep_for and then retired; retired keys need nothing
        ([current(), upcoming(), previous(demoted_at=20)], 69, []),
        ([current(), upcoming(), previous(demoted_at=20)], 70, [Retire(*SLOT, "p")]),
        ([current(), upcoming(), replace(previous(demoted_at=20), state="retired")], 90, []),
    ],
)
def test_steps_are_due_when_the_schedule_says(keys: list[KeyState], now: int, expected: list[Step]) -> None:
    """To current after publish_for and sign_for, from previous to retired after keep_for."""
    assert steps(*keys, now=now) == expected


def test_each_algorithm_turns_on_its_own() -> None:
    """Another algorithm's keys neither help nor hinder."""
    found = due([current(), upcoming()], SCHEDULE, slots=[SLOT, OTHER], now=100)
    assert found == [*PROMOTION, Create(*OTHER, "current"), Create(*OTHER, "next")]


def test_an_algorithm_no_longer_wanted_is_not_renewed_but_still_retires() -> None:
    """Its previous keys leave the key set in good time."""
    assert due([previous(demoted_at=0)], SCHEDULE, slots=[OTHER], now=50)[-1] == Retire(*SLOT, "p")
    assert due([current(), upcoming()], SCHEDULE, slots=[], now=100) == []


def test_a_rotation_by_hand_turns_before_its_time() -> None:
    """The current key need not have signed for long, but the next one must have been published."""
    assert by_hand([current(), upcoming()], SCHEDULE, slots=[SLOT], force=False, now=10) == PROMOTION


def test_a_rotation_by_hand_waits_for_publication_and_says_how_long() -> None:
    """Relying parties with a cached key set would refuse the new key's tokens."""
    with pytest.raises(RotationRefused, match="in 1 seconds") as refused:
        by_hand([current(), upcoming()], SCHEDULE, slots=[SLOT], force=False, now=9)
    assert refused.value.allowed_at == 10


def test_a_forced_rotation_does_not_wait() -> None:
    """A stolen key is worse than a refused token."""
    assert by_hand([current(), upcoming()], SCHEDULE, slots=[SLOT], force=True, now=0) == PROMOTION


def test_a_rotation_by_hand_without_a_next_key_is_refused() -> None:
    """Even when forced: there is nothing to rotate to; one young or missing key refuses the whole rotation."""
    for force in (True, False):
        with pytest.raises(RotationRefused, match="no next") as refused:
            by_hand([current(), upcoming()], SCHEDULE, slots=[SLOT, OTHER], force=force, now=50)
        assert refused.value.allowed_at is None


@pytest.mark.parametrize("wrong", [{"publish_for": -1}, {"sign_for": 0}, {"keep_for": 0}])
def test_a_senseless_schedule_is_refused(wrong: dict[str, int]) -> None:
    """A schedule that would turn or retire at every tick is a slip."""
    with pytest.raises(ValueError, match="schedule"):
        RotationSchedule(**wrong)


# --- laws ---


def take(keys: list[KeyState], todo: list[Step], now: int) -> list[KeyState]:
    """What the database does with the steps."""
    held = {key.kid: key for key in keys}
    for step in todo:
        match step:
            case Create(use, alg, state):
                kid = f"k{len(held)}"
                held[kid] = KeyState(kid, use, alg, state, now, now if state == "current" else None)
            case Promote(_, _, kid, replaces):
                assert held[kid].state == "next"
                if replaces is not None:
                    assert held[replaces].state == "current"
                    held[replaces] = replace(held[replaces], state="previous", demoted_at=now)
                held[kid] = replace(held[kid], state="current", activated_at=now)
            case Retire(_, _, kid):
                assert held[kid].state == "previous"
                held[kid] = replace(held[kid], state="retired")
    return list(held.values())


schedules = st.builds(
    RotationSchedule,
    publish_for=st.integers(0, 50),
    sign_for=st.integers(1, 200),
    keep_for=st.integers(1, 200),
)


@given(
    schedule=schedules, pauses=st.lists(st.integers(0, 300), max_size=25), forced=st.sets(st.integers(0, 24))
)
def test_any_history_of_ticks_keeps_the_promises(
    schedule: RotationSchedule, pauses: list[int], forced: set[int]
) -> None:
    """However irregularly the clock ticks and an operator rotates.

    There is exactly one current and one next key, nothing is due twice, a key is published for publish_for
    before it signs, and keep_for after it signed.
    """
    keys: list[KeyState] = []
    now = 0
    for turn, pause in enumerate([0, *pauses]):
        now += pause
        before = {key.kid: key for key in keys}
        keys = take(keys, due(keys, schedule, slots=[SLOT], now=now), now)
        assert due(keys, schedule, slots=[SLOT], now=now) == []
        assert sorted(key.state for key in keys if key.state in {"next", "current"}) == ["current", "next"]
        for key in keys:
            was = before.get(key.kid)
            if was and was.state == "next" and key.state == "current":
                assert now >= key.created_at + schedule.publish_for
            if was and was.state == "previous" and key.state == "retired":
                assert was.demoted_at is not None
                assert now >= was.demoted_at + schedule.keep_for
            if key.state == "previous":
                assert key.demoted_at is not None
                assert now < key.demoted_at + schedule.keep_for
        if turn in forced:
            keys = take(keys, by_hand(keys, schedule, slots=[SLOT], force=True, now=now), now)
