"""The worker: threads that do each job when it is due, in one process of all.

A lease row says who does a job. It is taken and prolonged by one conditional write, so two processes never
hold it together; a process that dies loses it when it runs out. By the clock, or where that was set back meanwhile:
when it was not prolonged for as long as it lasts, whatever the clocks say.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, String, bindparam, column, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from idp.db import Database

_TAKE = (
    text(
        "INSERT INTO jobs_lease (name, holder, until_at) VALUES (:name, :holder, :until_at) "
        "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at "
        "WHERE jobs_lease.holder = excluded.holder OR jobs_lease.until_at <= :at OR jobs_lease.until_at = :dead "
        "RETURNING name"
    )
    .bindparams(bindparam("at", type_=BigInteger), bindparam("dead", type_=BigInteger))
    .columns(column("name", String))
)
_LOOK = text("SELECT until_at FROM jobs_lease WHERE name = :name").columns(column("until_at", BigInteger))

log = logging.getLogger("denizen.jobs")

#: Whoever did not get a lease asks again after the job's pace, but neither sooner nor later than so many seconds: else
#: every process would ask each second for the jobs of another, and a daily job might wait for two days.
_ASK_SOONEST, _ASK_LATEST = 10, 60
#: A lease lasts so many seconds longer than the job's pace, and is not asked about for the first of them.
_LEASED_FOR, _SURE_FOR = 60, 20


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done every `every` seconds by one process; `run(now)` must be safe to repeat.

    Jobs of one lane follow each other in one thread; what may have to wait for others gets a lane of its own.
    A job that itself sees to it that one process does it needs no lease, and never waits for a dead one's to run out.
    """

    name: str
    every: int
    run: Callable[[int], object]
    lane: str = "main"
    is_leased: bool = True


class Worker:
    """Runs jobs in a thread until `stop`."""

    def __init__(self, database: Database, jobs: Sequence[Job], clock: Callable[[], float]) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        # SQLite is served by one process alone: after a restart it need not wait for its own former self.
        self._holder = "only" if database.is_sqlite else secrets.token_urlsafe(16)
        self._halt = threading.Event()
        self._threads: list[threading.Thread] = []
        self._due: dict[str, int] = {}
        self._held: dict[str, tuple[int, float]] = {}
        # Until when others have a lease, and since when that is so, by our own uptime.
        self._others: dict[str, tuple[int, float]] = {}

    def start(self) -> None:
        """Begin, in this process (call it after a fork)."""
        for lane in dict.fromkeys(job.lane for job in self._jobs):
            thread = threading.Thread(target=self._loop, args=(lane,), name=f"denizen-{lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End after the jobs at hand."""
        self._halt.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _loop(self, lane: str) -> None:
        while not self._halt.is_set():
            self.run_due(int(self._clock()), lane=lane)
            self._halt.wait(timeout=1.0)

    def run_due(self, now: int, *, lane: str | None = None) -> None:
        """Do every job (of one lane, if it is named) whose time has come and whose lease this process gets."""
        for job in self._jobs:
            # A clock that was set back must not put a job off: it is never due later than its pace.
            is_due = not now < self._due.get(job.name, 0) <= now + max(job.every, _ASK_SOONEST)
            if not is_due or lane not in (None, job.lane):
                continue
            self._due[job.name] = now + job.every
            try:
                if not job.is_leased or self._lease(job, now):
                    job.run(now)
                else:
                    self._due[job.name] = now + min(max(job.every, _ASK_SOONEST), _ASK_LATEST)
            except Exception:
                log.exception("job failed name=%s", job.name)

    def _lease(self, job: Job, now: int) -> bool:
        """Whether this process may do a job. What it was given a moment ago, by either clock, it still has."""
        taken_at, uptime = self._held.get(job.name, (0, 0.0))
        if 0 <= now - taken_at < _SURE_FOR and time.monotonic() - uptime < _SURE_FOR:
            return True
        started = time.monotonic()
        lasts_for = _LEASED_FOR + job.every
        seen, since = self._others.get(job.name, (0, started))
        dead = seen if started - since >= lasts_for else 0
        taken = take_lease(self._database, job.name, self._holder, now=now, until=now + lasts_for, dead=dead)
        self._held[job.name] = (now, started) if taken else (0, 0.0)
        if not taken and (until := _leased_until(self._database, job.name)) != seen:
            self._others[job.name] = (until, started)
        return taken


def take_lease(database: Database, name: str, holder: str, *, now: int, until: int, dead: int = 0) -> bool:
    """Take or prolong the right to do a job; False while another process holds it, but for one until `dead`."""
    values = {"name": name, "holder": holder, "until_at": until, "at": now, "dead": dead}
    return database.fast.execute(_TAKE, values).first() is not None


def _leased_until(database: Database, name: str) -> int:
    row = database.fast.execute(_LOOK, {"name": name}).first()
    return 0 if row is None else int(row.until_at)
