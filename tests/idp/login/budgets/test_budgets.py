"""Guessing budgets: every secret has so many guesses, whatever counts them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from idp.login import budgets
from idp.login.budgets import redis_windows as redis_store
from idp.login.budgets.models import Budget, FailureStreak
from idp.login.budgets.rules import OWN_DEVICES, STRANGERS, TOWN_PARTS, WIDE, WINDOW_FOR, Guess, Limit
from idp.upkeep import KEEP_ENDED_FOR, purge
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.redis import RedisServer
    from tests.support.town import Town

EACH, SOURCE, TOWN = 10, 100, 320
MAIL = Limit("mail-test", 3, 3600)


@pytest.fixture(params=["database", "redis"])
def town(
    request: pytest.FixtureRequest, database_url: str, founding: Founding, tmp_path: Path
) -> Iterator[Town]:
    """The town, its windows counted by the database (both engines) and by Redis (beside both engines)."""
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else ""
    made = make_town(database_url, tmp_path, founding=founding, throttle={"redis_url": url, "per_town": TOWN})
    yield made
    made.context.database.close()


def guess(**change: str | None) -> Guess:
    return replace(Guess("password", "maria-id", "maria", "192.0.2.1"), **change)  # type: ignore[arg-type]


def spend(town: Town, **change: str | None) -> budgets.Verdict:
    return budgets.spend(town.context, guess(**change), now=int(town.clock()))


def streaks(town: Town) -> dict[str, int]:
    """Consecutive failures by pool, of whomever."""
    return {row.bucket.split(":")[1]: row.failures for row in town.rows(FailureStreak)}


# --- windows ---


def test_a_name_at_a_source_has_ten_guesses_in_a_window(town: Town) -> None:
    """Then it waits to the end of the window, and says how long."""
    town.clock.advance(100)
    assert all(spend(town) for _ in range(EACH))
    refused = spend(town)
    assert not refused
    assert refused.retry_after == WINDOW_FOR - int(town.clock()) % WINDOW_FOR
    town.clock.advance(refused.retry_after)
    assert spend(town)


def test_what_is_refused_costs_the_authenticator_nothing(town: Town) -> None:
    """K28: whoever hammers on from one source uses up their own budget, and nobody else's."""
    for _ in range(5 * EACH):
        spend(town)
    assert streaks(town) == {STRANGERS.pool: EACH}


def test_a_source_has_one_budget_for_all_names(town: Town) -> None:
    """Many names, one source: spraying ends at the source's limit."""
    passed = sum(bool(spend(town, authenticator=f"{i}", name=f"{i}")) for i in range(SOURCE + 5))
    assert passed <= min(SOURCE, TOWN)
    assert passed == min(SOURCE, TOWN // TOWN_PARTS)


def test_a_whole_ipv6_48_has_an_allowance_of_its_own(town: Town) -> None:
    """Whoever has a /48 has 65,536 sources: together they have ten times what one has, and others lose nothing."""

    def tries(number: int) -> budgets.Verdict:
        # A second factor counts nothing for the town.
        whose = f"resident {number}"
        return spend(
            town, kind="totp", authenticator=whose, name=whose, network=f"2001:db8:1:{number:x}::/64"
        )

    tried = range(WIDE * SOURCE + 20)
    assert [*map(bool, map(tries, tried))] == [number < WIDE * SOURCE for number in tried]
    assert spend(town, kind="totp", network="2001:db8:2:1::/64")
    assert spend(town, kind="totp", network="192.0.2.9")
    assert spend(town, kind="totp", network="2001:db8:1:9::/64", device="her phone")


def test_a_right_answer_costs_a_48_nothing(town: Town) -> None:
    """All the telephones of a provider may be in one."""
    home = {"kind": "totp", "network": "2001:db8:1:2::/64"}
    for _ in range(WIDE * SOURCE + 5):
        assert spend(town, **home)
        budgets.refund(town.context, guess(**home), now=int(town.clock()))


def test_a_whole_48_uses_up_one_part_of_the_town_s_count(town: Town) -> None:
    """An attack from few places slows down only what shares its part."""
    tried = range(TOWN)
    passed = [spend(town, authenticator=f"{i}", name=f"{i}", network=f"2001:db8:1:{i:x}::/64") for i in tried]
    assert sum(map(bool, passed)) == TOWN // TOWN_PARTS


def test_a_spray_from_everywhere_ends_at_the_town_s_limit(town: Town) -> None:
    """Many names from many sources; known devices never notice."""
    tried = range(2 * TOWN)
    passed = sum(bool(spend(town, authenticator=f"{i}", name=f"{i}", network=f"net {i}")) for i in tried)
    assert TOWN * 0.9 <= passed <= TOWN
    refused = [spend(town, authenticator="x", name="x", network=f"other {i}") for i in range(40)]
    assert not any(refused)
    assert {verdict.retry_after for verdict in refused} == {WINDOW_FOR - int(town.clock()) % WINDOW_FOR}
    assert spend(town, device="her phone")


def test_a_right_answer_costs_nothing(town: Town) -> None:
    """A town hall from which hundreds sign in does not lock itself out."""
    for _ in range(3 * SOURCE):
        assert spend(town)
        budgets.refund(town.context, guess(), now=int(town.clock()))
    assert streaks(town) == {}
    assert sum(bool(spend(town)) for _ in range(EACH + 1)) == EACH


def test_a_refund_is_part_of_the_transaction_it_is_handed(database_url: str, tmp_path: Path) -> None:
    """What is rolled back gives nothing back."""
    town = make_town(database_url, tmp_path)
    for _ in range(3):
        spend(town)

    def refund_and_fail() -> None:
        with town.context.database.transaction() as session:
            budgets.refund(town.context, guess(), now=int(town.clock()), connection=session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        refund_and_fail()
    assert streaks(town) == {STRANGERS.pool: 3}
    with town.context.database.transaction() as session:
        budgets.refund(town.context, guess(), now=int(town.clock()), connection=session)
    assert streaks(town) == {}
    town.context.database.close()


def test_parallel_guesses_share_nothing(town: Town) -> None:
    """CVE-2024-4629: of forty at once, ten pass."""
    gate = threading.Barrier(8)

    def many(_: int) -> int:
        gate.wait()
        passed = sum(bool(spend(town)) for _ in range(5))
        town.context.database.fast.close()
        return passed

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(many, range(8))) == EACH


def test_two_clocks_that_differ_do_not_begin_a_window_anew_in_turn(town: Town) -> None:
    """K40: nodes half a minute apart at the end of a window give at most one more budget, not one each turn."""
    town.clock.advance(WINDOW_FOR - int(town.clock()) % WINDOW_FOR)
    edge = int(town.clock())
    tried = [budgets.spend(town.context, guess(authenticator=f"{i}"), now=edge - i % 2) for i in range(80)]
    assert sum(map(bool, tried)) <= 2 * EACH


def test_other_counts_need_no_authenticator(town: Town) -> None:
    """Sending mail is bounded per address and per source, in one step."""
    now = int(town.clock())
    other = Limit("mail-source-test", 100, 3600)
    tried = [budgets.take(town.context, (MAIL, "a@example.org"), (other, "net"), now=now) for _ in range(5)]
    assert [verdict.ok for verdict in tried] == [True, True, True, False, False]
    assert tried[-1].retry_after == 3600 - now % 3600
    assert budgets.take(town.context, (MAIL, "b@example.org"), (other, "net"), now=now)


def test_what_counts_per_source_counts_for_the_48_around_it(town: Town) -> None:
    """Nobody has a town write to a thousand strangers by moving from one /64 of theirs to the next."""
    now = int(town.clock())
    sources = [f"2001:db8:1:{number:x}::/64" for number in range(WIDE * MAIL.guesses + 5)]
    tried = [bool(budgets.take(town.context, (MAIL, source), now=now)) for source in sources]
    assert sum(tried) == WIDE * MAIL.guesses
    assert budgets.take(town.context, (MAIL, "2001:db8:2::/64"), now=now)
    assert budgets.take(town.context, (MAIL, "192.0.2.9"), now=now)


def test_rows_and_keys_name_nobody(town: Town, redis_server: RedisServer) -> None:
    """What was typed and where it came from are hashed under a key that the database does not hold."""
    if not town.settings.throttle.redis_url:
        redis_server.flush()
    spend(town, name="maria@example.org", network="198.51.100.7", authenticator=None)
    kept = [row.bucket for row in town.rows(Budget)] + [row.bucket for row in town.rows(FailureStreak)]
    kept += redis_server.held()
    assert len(kept) == 4
    assert not [one for one in kept if "maria" in one or "198.51" in one]
    assert all(len(one.removeprefix("denizen:")) <= 100 for one in kept)


def test_a_source_that_is_full_takes_no_letter_from_an_address(town: Town) -> None:
    """Whoever may send no more cannot keep others from sending to the same address."""
    now, mine = int(town.clock()), Limit("mail-source-test", 2, 3600)
    for _ in range(9):
        budgets.take(town.context, (mine, "attacker"), (MAIL, "a@example.org"), now=now)
    assert budgets.take(town.context, (mine, "somebody"), (MAIL, "a@example.org"), now=now)


# --- one authenticator ---


def elsewhere(number: int) -> str:
    """A source of its own for each guess, as a botnet has."""
    return f"198.51.{number}.0"


def test_pauses_between_a_stranger_s_guesses_grow(town: Town) -> None:
    """NIST SP 800-63B-4 §3.2.2: after thirty failures half a minute, then twice as long each time, an hour at most."""
    waits = []
    for number in range(38):
        while not (verdict := spend(town, network=elsewhere(number))):
            waits.append(verdict.retry_after)
            town.clock.advance(verdict.retry_after)
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600]


def test_an_authenticator_has_a_hundred_failures_in_its_life(town: Town) -> None:
    """§3.2.2, K26: a patient guesser from everywhere gets 70, from the owner's own devices 30, and then no more."""
    passed = {"strangers": 0, "own": 0}
    for number in range(400):
        town.clock.advance(7200)
        passed["strangers"] += bool(spend(town, network=elsewhere(number)))
        passed["own"] += bool(spend(town, device="her phone"))
        passed["own"] += bool(spend(town, device="her laptop"))
    assert passed == {"strangers": STRANGERS.cap, "own": OWN_DEVICES.cap}
    assert sum(passed.values()) <= 100
    last = spend(town)
    assert last.is_spent
    with town.context.database.reading() as session:
        assert budgets.is_spent(session, town.context.vault, "password", "maria-id")
        assert not budgets.is_spent(session, town.context.vault, "totp", "maria-id")


def use_up(town: Town, **change: str | None) -> None:
    """As many failures of strangers as there are."""
    for number in range(STRANGERS.cap):
        town.clock.advance(7200)
        assert spend(town, network=elsewhere(number), **change)


def test_strangers_cannot_use_up_the_owner_s_devices(town: Town) -> None:
    """K28: the owner signs in from a known device, and everything is as before, for strangers too."""
    use_up(town)
    assert spend(town).is_spent
    assert spend(town, device="her phone")
    budgets.refund(town.context, guess(device="her phone"), now=int(town.clock()))
    assert spend(town)
    assert streaks(town) == {STRANGERS.pool: 1}


def test_other_authenticators_of_the_same_resident_still_work(town: Town) -> None:
    """One budget each: a password that nobody may try any more leaves codes as they are."""
    use_up(town)
    assert spend(town).is_spent
    assert spend(town, kind="totp", authenticator="maria-totp")
    assert spend(town, authenticator="jun-id", name="jun")


def test_a_new_secret_has_its_whole_budget(town: Town) -> None:
    """After a recovery nothing is held against the new password."""
    use_up(town)
    with town.context.database.transaction() as session:
        budgets.restore(session, town.context.vault, "password", "maria-id")
    assert spend(town)


def test_a_name_without_an_account_behaves_like_one_with(town: Town) -> None:
    """K23: the same passes, pauses and end, whether or not there is anything to guess."""
    seen: dict[str | None, list[budgets.Verdict]] = {"maria-id": [], None: []}
    for number in range(STRANGERS.cap + 5):
        town.clock.advance(3600)
        for authenticator, verdicts in seen.items():
            name = authenticator or "nobody"
            for _ in range(2):
                verdicts.append(
                    spend(town, authenticator=authenticator, name=name, network=elsewhere(number))
                )
    assert seen["maria-id"] == seen[None]
    assert seen[None][-1].is_spent


def test_only_counts_that_belong_to_nobody_are_forgotten(town: Town) -> None:
    """A failure of an authenticator is kept until a right answer; a name without an account for a year."""
    spend(town)
    spend(town, authenticator=None, name="nobody")
    town.clock.advance(366 * 86_400 + KEEP_ENDED_FOR)
    purge(town.context, now=int(town.clock()))
    (kept,) = town.rows(FailureStreak)
    assert kept.expires_at is None
    assert town.rows(Budget) == []


# --- Redis ---


@pytest.fixture
def redis_town(
    database_url: str, founding: Founding, tmp_path: Path, redis_server: RedisServer
) -> Iterator[Town]:
    redis_store.redis_windows.cache_clear()
    made = make_town(database_url, tmp_path, founding=founding, throttle={"redis_url": redis_server.url})
    yield made
    made.context.database.close()
    redis_store.redis_windows.cache_clear()


def test_redis_counts_instead_of_the_database(redis_town: Town, redis_server: RedisServer) -> None:
    """The database holds what must last, and no windows; what Redis holds ends by itself."""
    spend(redis_town)
    assert redis_town.rows(Budget) == []
    assert streaks(redis_town) == {STRANGERS.pool: 1}
    assert len(redis_server.held()) == 3
    assert all(0 < redis_server.lives(key) <= WINDOW_FOR + 60 for key in redis_server.held())


def test_without_redis_the_database_counts_and_nothing_is_open(
    redis_town: Town, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis goes away in the middle: guesses are bounded still, and right answers are still given back."""
    for _ in range(4):
        assert spend(redis_town)
    redis_server.stop()
    for _ in range(3 * EACH):
        assert spend(redis_town)
        budgets.refund(redis_town.context, guess(), now=int(redis_town.clock()))
    assert "redis away" in caplog.text
    passed = [spend(redis_town, authenticator=f"{i}") for i in range(3 * EACH)]
    assert sum(map(bool, passed)) == EACH


def test_redis_is_asked_again_after_a_while(
    redis_town: Town, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at every sign-in, each of which would wait for it."""
    elapsed = [1000.0]
    monkeypatch.setattr(redis_store.time, "monotonic", lambda: elapsed[0])
    redis_server.stop()
    spend(redis_town)
    redis_server.start()
    spend(redis_town)
    assert redis_server.held() == []
    elapsed[0] += redis_store.AWAY_FOR
    spend(redis_town)
    assert len(redis_server.held()) == 3


def test_testing_lifts_every_budget(database_url: str, tmp_path: Path) -> None:
    """For conformance runs on this machine, and no other (a public issuer refuses the setting)."""
    local = {"issuer": "http://localhost:8400", "staff_url": "http://localhost:8401"}
    town = make_town(database_url, tmp_path, server=local, testing={"enabled": True})
    assert all(spend(town) for _ in range(200))
    budgets.refund(town.context, guess(), now=int(town.clock()))
    assert town.rows(FailureStreak) == town.rows(Budget) == []
    town.context.database.close()
