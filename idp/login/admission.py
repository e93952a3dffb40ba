"""Admission to password hashing: so many at once, a short queue, and at once a "come back soon" for whoever is left.

A hash occupies a processor and 19 MiB for tens of milliseconds. Unbounded, a storm of sign-ins would let everybody
wait for everybody; bounded, those who are let in are served at full speed, and all else stays fast: the server has
more threads than there are places here (`idp.serve`), so that hashing can never hold them all.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from idp.gate import aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from idp.settings import Settings

T = TypeVar("T")

#: How far threads that hash stand back behind those that answer, on Linux (nice(2) works on single threads there).
_NICE = 5
#: What a hash takes before any was measured, in seconds, and how much a new measurement counts.
_FIRST_GUESS, _WEIGHT = 0.05, 0.1
#: The queue: so many for each hash at once, and never more than so many server threads in all.
_QUEUE_EACH, _QUEUE_MOST = 8, 16


class Busy(Exception):
    """No place now; nothing was counted or looked at. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many password checks at once")
        self.retry_after = retry_after


class Admission:
    """Places for whoever comes to hash, of which `at_once` have their turn at the same time."""

    def __init__(self, *, at_once: int, queue: int, longest_wait: float) -> None:
        self.places = at_once + queue
        self._at_once = at_once
        self._longest_wait = longest_wait
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._inside = 0
        self._typical = _FIRST_GUESS
        self._own = threading.local()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place from before the first database work to after the hash; within it, `run` is sure of its own.

        Raises:
            Busy: at once, when all places are taken or the wait would be too long.
        """
        if self._has_place():
            yield
            return
        self._enter()
        self._own.has_place = True
        try:
            yield
        finally:
            self._own.has_place = False
            with self._lock:
                self._inside -= 1

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives or raises, once its turn has come. Never inside a transaction: others wait for that.

        Whoever holds a place already has been counted and may hold a guess, and is not sent away any more.

        Raises:
            Busy: when there is no place, or the turn did not come in time.
        """
        patience = None if self._has_place() else self._longest_wait
        with self.place(), aside():
            running = self._hashing().submit(self._timed, work)
            try:
                return running.result(patience)
            except TimeoutError:
                if running.cancel():
                    raise Busy(self._come_back()) from None
                return running.result()

    def _has_place(self) -> bool:
        return getattr(self._own, "has_place", False)

    def _hashing(self) -> ThreadPoolExecutor:
        """The threads that hash, made at the first use, so after any fork."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._at_once, "denizen-hash", _step_back)
            return self._threads

    def _timed(self, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self._note(time.perf_counter() - start)

    def is_full(self) -> Busy | None:
        """What whoever comes now would be told; None while there is a place."""
        if self._inside >= self.places or self._expected_wait() > self._longest_wait:
            return Busy(self._come_back())
        return None

    def _enter(self) -> None:
        with self._lock:
            if busy := self.is_full():
                raise busy
            self._inside += 1

    def _expected_wait(self) -> float:
        return max(0, self._inside + 1 - self._at_once) * self._typical / self._at_once

    def _note(self, seconds: float) -> None:
        with self._lock:
            self._typical += _WEIGHT * (seconds - self._typical)

    def _come_back(self) -> int:
        """Some seconds, not the same for all, so that they do not all come back at once."""
        return 2 + secrets.randbelow(5)


def _step_back() -> None:
    """Whoever only needs the processor for a moment is served first, though all of them be hashing."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICE)


def admission_of(settings: Settings) -> Admission:
    """The one of this process: all its apps share the same processors."""
    at_once = settings.throttle.hashes or _share(settings.server.workers, settings.passwords.lanes)
    return _shared(at_once, settings.throttle.longest_wait)


@cache
def _shared(at_once: int, longest_wait: int) -> Admission:
    queue = min(_QUEUE_EACH * at_once, _QUEUE_MOST)
    return Admission(at_once=at_once, queue=queue, longest_wait=longest_wait)


def _share(workers: int, lanes: int) -> int:
    """How many hashes keep this process's share of the machine busy, each on so many lanes."""
    return max(1, round(_processors() / (workers * lanes)))


def _processors() -> float:
    """The processors this process may use: what is there, or what its container was given of them."""
    available = float(len(os.sched_getaffinity(0)))
    try:
        quota, _, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").partition(" ")
    except OSError:
        return available
    return available if quota == "max" else min(available, int(quota) / int(period))
