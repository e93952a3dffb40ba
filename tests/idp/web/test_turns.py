"""Places to wait for somebody else's server: few, and none of them for one alone (K17, K39)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

from idp.web.turns import AT_ONCE, OF_ONE_OWNER, WAITING_OF_ONE_OWNER, Turns
from tests.support.riverton import until


def has_turn(turns: Turns, name: str, owner: str) -> bool:
    with turns.of(name, owner) as is_its_turn:
        return is_its_turn


def test_one_owner_never_has_all_the_places() -> None:
    """However many names it has; and all of them together are no more than there are places."""
    turns = Turns(wait_for=0)
    with ExitStack() as held:
        for number in range(OF_ONE_OWNER):
            assert held.enter_context(turns.of(f"evil{number}", "Evil"))
        assert not has_turn(turns, "evil", "Evil")
        for number in range(AT_ONCE - OF_ONE_OWNER):
            assert held.enter_context(turns.of(f"other{number}", f"Other {number}"))
        assert not has_turn(turns, "one too many", "Another")
    assert has_turn(turns, "evil", "Evil")


def test_a_name_has_its_turn_once_at_a_time_and_few_wait_for_it() -> None:
    """Whoever waits goes on when the first is through; whoever finds enough waiting is refused at once."""
    turns, may_end = Turns(wait_for=20), Event()

    def hold() -> bool:
        with turns.of("pool", "Pool") as is_its_turn:
            if is_its_turn:
                assert may_end.wait(20)
            return is_its_turn

    with ThreadPoolExecutor(WAITING_OF_ONE_OWNER + 3) as pool:
        held = [pool.submit(hold) for _ in range(WAITING_OF_ONE_OWNER + 3)]
        until(lambda: sum(one.done() for one in held) == 2, "two are refused")
        assert has_turn(turns, "gym", "Gym")
        may_end.set()
        assert sorted(one.result(20) for one in held) == [False] * 2 + [True] * (WAITING_OF_ONE_OWNER + 1)


def test_one_owner_never_has_all_the_places_to_wait() -> None:
    """Or whoever comes twice while its own key set is fetched would be refused because of a stranger's slow ones."""
    turns, may_end = Turns(wait_for=20), Event()

    def hold(name: str, owner: str) -> bool:
        with turns.of(name, owner) as is_its_turn:
            return is_its_turn and may_end.wait(20)

    def is_at_work(count: int) -> bool:
        return len(turns._at_work) == count

    with ThreadPoolExecutor(20) as pool:
        evil = [pool.submit(hold, f"evil{number}", "Evil") for number in range(10)]
        until(lambda: sum(one.done() for one in evil) == 10 - OF_ONE_OWNER - WAITING_OF_ONE_OWNER, "few wait")
        gym = [pool.submit(hold, "gym", "Gym")]
        until(lambda: is_at_work(OF_ONE_OWNER + 1), "its key set is fetched")
        gym.append(pool.submit(hold, "gym", "Gym"))
        until(lambda: "Gym" in turns._waiting or gym[1].done(), "it comes again")
        may_end.set()
        assert [one.result(20) for one in gym] == [True, True]


def test_nobody_waits_for_long() -> None:
    """The thread is wanted elsewhere."""
    turns = Turns(wait_for=0.05)
    with turns.of("pool", "Pool"):
        assert not has_turn(turns, "pool", "Pool")
    assert has_turn(turns, "pool", "Pool")


def test_what_fails_gives_its_turn_back() -> None:
    """Or each failure would leave a place less."""
    turns = Turns(wait_for=0)
    for _ in range(AT_ONCE + 1):
        try:
            with turns.of("pool", "Pool") as is_its_turn:
                assert is_its_turn
                raise OSError
        except OSError:
            pass
