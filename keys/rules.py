"""The rotation schedule, as a pure function: the keys on file and the time in, the steps that are due out.

A signing key is *next* (published, not signing), then *current*, then *previous* (published, not signing any
more), then *retired* (not published). Relying parties cache key sets, so a key must be seen before it signs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["next", "current", "previous", "retired"]
Slot = tuple[str, str]  # (use, alg): each holds at most one next and one current key

DAY = 86_400


@dataclass(frozen=True, slots=True)
class RotationSchedule:
    """How long a key stays in each state, in seconds.

    `publish_for`: the least time a next key is published before it signs; longer than any key set cache.
    `sign_for`: how long a key signs. `keep_for`: how long it stays published afterwards; longer than the life
    of any token plus the longest key set cache.
    """

    publish_for: int = DAY
    sign_for: int = 30 * DAY
    keep_for: int = 7 * DAY

    def __post_init__(self) -> None:
        if self.publish_for < 0 or self.sign_for <= 0 or self.keep_for <= 0:
            raise ValueError(
                "a rotation schedule has no negative publish_for, and sign_for and keep_for above zero"
            )


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the schedule needs to know of one key; instants are Unix seconds."""

    kid: str
    use: str
    alg: str
    state: State
    created_at: int
    activated_at: int | None = None
    demoted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Make a key for this slot, in this state."""

    use: str
    alg: str
    state: Literal["next", "current"]


@dataclass(frozen=True, slots=True)
class Promote:
    """Let the next key `kid` sign from now on; the current key `replaces`, if there is one, becomes previous."""

    use: str
    alg: str
    kid: str
    replaces: str | None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Let the current key `kid` sign no more, and no other in its place: its algorithm is not wanted any longer."""

    use: str
    alg: str
    kid: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Stop publishing the key `kid`: a previous one, or a next one whose algorithm is not wanted any longer."""

    use: str
    alg: str
    kid: str
    state: Literal["next", "previous"] = "previous"


Step = Create | Promote | Withdraw | Retire


class RotationRefused(Exception):
    """An operator's rotation that may not happen now; `allowed_at` says when it may, if that is known."""

    def __init__(self, message: str, *, allowed_at: int | None = None) -> None:
        super().__init__(message)
        self.allowed_at = allowed_at


def due(
    keys: Sequence[KeyState], schedule: RotationSchedule, *, slots: Iterable[Slot], now: int
) -> list[Step]:
    """The steps due at `now`, in the order they must be taken. Taking them all leaves nothing due at `now`.

    `slots` are all that is wanted of the uses they name: keys of other algorithms of these uses go.
    """
    wanted = list(slots)
    steps = [step for slot in wanted for step in _due_in(slot, keys, schedule, now)]
    return steps + list(_unwanted(keys, wanted)) + list(_past_keeping(keys, schedule, now))


def by_hand(
    keys: Sequence[KeyState], schedule: RotationSchedule, *, slots: Iterable[Slot], force: bool, now: int
) -> list[Step]:
    """The steps of a rotation an operator asks for now.

    Raises RotationRefused, before any step, when a slot has no next key, or (unless `force`) when a next key
    has not been published for `publish_for` yet: relying parties with a cached key set would refuse its tokens.
    """
    return [step for slot in slots for step in _turn(slot, keys, schedule, force=force, now=now)]


def _due_in(slot: Slot, keys: Sequence[KeyState], schedule: RotationSchedule, now: int) -> list[Step]:
    current, upcoming = _find(slot, keys, "current"), _find(slot, keys, "next")
    if upcoming is None:
        missing: list[Step] = [] if current else [Create(*slot, "current")]
        return [*missing, Create(*slot, "next")]
    if current is None:  # a young key that signs is better than no key that signs
        return _promotion(slot, upcoming, None)
    signed_enough = now >= _activated_at(current) + schedule.sign_for
    if signed_enough and now >= _promotable_at(upcoming, schedule):
        return _promotion(slot, upcoming, current)
    return []


def _unwanted(keys: Sequence[KeyState], wanted: Sequence[Slot]) -> Iterator[Withdraw | Retire]:
    uses = {use for use, _ in wanted}
    for key in keys:
        if key.use not in uses or (key.use, key.alg) in wanted:
            continue
        if key.state == "current":
            yield Withdraw(key.use, key.alg, key.kid)
        elif key.state == "next":  # it has signed nothing
            yield Retire(key.use, key.alg, key.kid, "next")


def _past_keeping(keys: Sequence[KeyState], schedule: RotationSchedule, now: int) -> Iterator[Retire]:
    # Keys of every slot: an algorithm no longer wanted still leaves the key set in good time.
    for key in keys:
        if (
            key.state == "previous"
            and key.demoted_at is not None
            and now >= key.demoted_at + schedule.keep_for
        ):
            yield Retire(key.use, key.alg, key.kid)


def _turn(
    slot: Slot, keys: Sequence[KeyState], schedule: RotationSchedule, *, force: bool, now: int
) -> list[Step]:
    upcoming = _find(slot, keys, "next")
    if upcoming is None:
        raise RotationRefused(f"There is no next {slot[1]} key to rotate to yet.")
    allowed_at = _promotable_at(upcoming, schedule)
    if now < allowed_at and not force:
        raise RotationRefused(
            f"The next {slot[1]} key has not been published long enough; it may sign in {allowed_at - now} seconds.",
            allowed_at=allowed_at,
        )
    return _promotion(slot, upcoming, _find(slot, keys, "current"))


def _promotion(slot: Slot, upcoming: KeyState, current: KeyState | None) -> list[Step]:
    return [Promote(*slot, upcoming.kid, current.kid if current else None), Create(*slot, "next")]


def _find(slot: Slot, keys: Sequence[KeyState], state: State) -> KeyState | None:
    return next((key for key in keys if (key.use, key.alg) == slot and key.state == state), None)


def _activated_at(key: KeyState) -> int:
    return key.created_at if key.activated_at is None else key.activated_at


def _promotable_at(key: KeyState, schedule: RotationSchedule) -> int:
    return key.created_at + schedule.publish_for
