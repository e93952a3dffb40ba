"""The worker: threads that do each job when it is due, in one process of all.

A lease row says who does a job. It is taken and prolonged by one conditional write, so two processes never
hold it together; a process that dies loses it when it runs out.
"""

from __future__ import annotations

import logging
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from idp.jobs.models import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from idp.db import Database

log = logging.getLogger("denizen.jobs")

#: Whoever did not get a lease asks again after this many seconds, else a daily job might wait for two days.
_ASK_AGAIN = 60


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
            is_due = not now < self._due.get(job.name, 0) <= now + job.every
            if not is_due or lane not in (None, job.lane):
                continue
            self._due[job.name] = now + job.every
            try:
                if not job.is_leased or self._lease(job, now):
                    job.run(now)
                else:
                    self._due[job.name] = now + min(job.every, _ASK_AGAIN)
            except Exception:
                log.exception("job failed name=%s", job.name)

    def _lease(self, job: Job, now: int) -> bool:
        return take_lease(self._database, job.name, self._holder, now=now, until=now + 60 + job.every)


def take_lease(database: Database, name: str, holder: str, *, now: int, until: int) -> bool:
    """Take or prolong the right to do a job; False while another process holds it."""
    taken = (
        update(Lease)
        .where(Lease.name == name, (Lease.holder == holder) | (Lease.until_at <= now))
        .values(holder=holder, until_at=until)
        .returning(Lease.name)
    )
    with database.transaction() as session:
        if session.execute(taken).first() is not None:
            return True
    try:
        with database.transaction() as session:
            session.execute(insert(Lease).values(name=name, holder=holder, until_at=until))
    except IntegrityError:
        return False
    return True
