"""Leases: of all processes one does a job. Jobs that fail do not stop the others."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from idp.jobs import worker as module
from idp.jobs.models import Lease
from idp.jobs.worker import Job, Worker, take_lease
from tests.support.town import START

if TYPE_CHECKING:
    from tests.support.town import Town


def test_a_lease_belongs_to_one_holder_until_it_runs_out(town: Town) -> None:
    """Taken, prolonged by its holder, refused to others, and free again at its very end."""
    database = town.context.database
    assert take_lease(database, "mail", "one", now=START, until=START + 60)
    assert not take_lease(database, "mail", "two", now=START + 59, until=START + 119)
    assert take_lease(database, "mail", "one", now=START + 30, until=START + 90)
    assert not take_lease(database, "mail", "two", now=START + 89, until=START + 149)
    assert take_lease(database, "other", "two", now=START, until=START + 60)
    assert take_lease(database, "mail", "two", now=START + 90, until=START + 150)
    assert not take_lease(database, "mail", "one", now=START + 91, until=START + 151)


def test_of_many_at_once_exactly_one_gets_a_lease(town: Town) -> None:
    """F22: the first ever, and every one after it ran out, is decided by the database."""
    database = town.context.database
    with ThreadPoolExecutor(4) as pool:
        for number in range(10):
            now = START + number * 60
            taken = list(
                pool.map(
                    lambda holder, at=now: take_lease(database, "mail", f"h{holder}", now=at, until=at + 60),
                    range(4),
                )
            )
            # A holder that comes back within the round prolongs its own lease; nobody else gets it.
            assert taken.count(True) == 1, taken
    assert len([row for row in town.rows(Lease) if row.name == "mail"]) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_never_do_a_job_both(town: Town) -> None:
    """The second one steps in when the first is gone, not before."""
    done: list[str] = []
    workers = [
        Worker(
            town.context.database, [Job("count", 10, lambda _now, name=name: done.append(name))], town.clock
        )
        for name in "ab"
    ]
    for second in range(0, 60, 10):
        for worker in workers:
            worker.run_due(START + second)
    assert done == ["a"] * 6
    for second in range(60, 200, 10):
        workers[1].run_due(START + second)
    assert done[6:8] == ["b", "b"]


def test_what_is_leased_is_asked_about_seldom(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second a job is done, and not each second the database is asked whether it may be."""
    asked: list[int] = []
    take = module.take_lease

    def noting(*arguments: Any, now: int, **more: Any) -> bool:
        asked.append(now - START)
        return take(*arguments, now=now, **more)

    monkeypatch.setattr(module, "take_lease", noting)
    done: list[int] = []
    mine = Worker(town.context.database, [Job("each second", 1, done.append)], town.clock)
    for second in range(45):
        mine.run_due(START + second)
    assert len(done) == 45
    assert asked == [0, 20, 40]
    asked.clear()
    take_lease(town.context.database, "theirs", "somebody", now=START, until=START + 60)
    other = Worker(town.context.database, [Job("theirs", 1, done.append)], town.clock)
    for second in range(45):
        other.run_due(START + second)
    assert asked == [0, 10, 20, 30, 40]
    assert len(done) == 45


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("lives", [False, True])
def test_a_clock_that_is_behind_waits_for_no_lease_of_the_dead_and_takes_none_of_the_living(
    town: Town, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    """F09: restarted after the clock was set back an hour, jobs go on when the lease would have run out; a node that is an hour behind leaves those of the others alone."""
    uptime, done = [0], []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: float(uptime[0])))
    ahead, behind = (
        Worker(
            town.context.database, [Job("count", 10, lambda _now, name=name: done.append(name))], town.clock
        )
        for name in ("ahead", "behind")
    )
    ahead.run_due(START)
    first_of = []
    for uptime[0] in range(1, 200):
        if lives:
            ahead.run_due(START + uptime[0])
        behind.run_due(START - 3600 + uptime[0])
        if done[-1] == "behind":
            first_of.append(uptime[0])
    assert (first_of == []) if lives else (70 <= first_of[0] <= 70 + 10)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_restarted_worker_goes_on_at_once(town: Town) -> None:
    """SQLite has one process: mail does not wait for the lease of the one that is gone."""
    done: list[str] = []
    for name in "ab":
        job = Job("count", 10, lambda _now, name=name: done.append(name))
        Worker(town.context.database, [job], town.clock).run_due(START)
    assert done == ["a", "b"]


def test_a_job_is_done_at_its_pace(town: Town) -> None:
    """Asked every second, done every ten."""
    done: list[int] = []
    worker = Worker(town.context.database, [Job("count", 10, done.append)], town.clock)
    for second in range(31):
        worker.run_due(START + second)
    assert done == [START, START + 10, START + 20, START + 30]


def test_a_job_that_fails_stops_neither_itself_nor_others(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged by the job's name, and the next time is tried again."""
    done: list[str] = []

    def fail(_now: int) -> None:
        done.append("fail")
        raise RuntimeError("no")

    jobs = [Job("fails", 1, fail), Job("works", 1, lambda _: done.append("works"))]
    worker = Worker(town.context.database, jobs, town.clock)
    with caplog.at_level(logging.ERROR):
        worker.run_due(START)
        worker.run_due(START + 1)
    assert done == ["fail", "works"] * 2
    assert "job failed name=fails" in caplog.text


def test_the_thread_works_until_it_is_stopped(town: Town) -> None:
    """Started after a fork, and gone after `stop`."""
    did = threading.Event()
    worker = Worker(town.context.database, [Job("once", 3600, lambda _: did.set())], town.clock)
    worker.start()
    assert did.wait(10)
    worker.stop()
    assert worker._threads
    assert not any(thread.is_alive() for thread in worker._threads)


def test_a_job_that_hangs_holds_up_its_own_lane_alone(town: Town) -> None:
    """A mail server that does not answer stops neither the log nor text messages."""
    free, did = threading.Event(), threading.Event()
    jobs = [
        Job("hangs", 1, lambda _: free.wait(20), lane="mail"),
        Job("behind it", 1, lambda _: None, lane="mail"),
        Job("beside it", 1, lambda _: did.set()),
    ]
    worker = Worker(town.context.database, jobs, town.clock)
    worker.start()
    assert did.wait(10)
    assert not free.is_set()
    free.set()
    worker.stop()
