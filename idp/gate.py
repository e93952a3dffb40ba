"""How many requests of a process are worked on at the same time, and how one steps aside while it only waits.

Threads that all want the interpreter hand it to one another in turn, each for milliseconds, and every request gets
slower. So the server has more threads than are let through: the others are for requests that wait outside the
interpreter, such as a sign-in for its password check. While nobody waits so, the surplus threads rest: a thread that
takes a request only to queue for its place costs as much as the request itself (decision 0032).
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A resting thread looks in so often, in seconds: the server ends threads that had no work for half a minute, and it
#: must never be those that do not rest.
_REST_FOR = 2.0

_own = threading.local()


class Gate:
    """A WSGI application in which only so many requests are worked on at once."""

    def __init__(self, app: Any, *, at_once: int, afterwards: Callable[[], None] = lambda: None) -> None:
        """`afterwards` runs in the request's thread when it has been answered."""
        self._app, self._afterwards = app, afterwards
        self._lock = threading.Lock()
        self._free = at_once
        #: Who waits for a place, each behind a lock of its own that is taken.
        self._waiting: deque[threading.Lock] = deque()
        self._resting = 0
        self._wake: SimpleQueue[None] = SimpleQueue()

    @property
    def free(self) -> int:
        """How many more requests would be let through now."""
        return self._free

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request. Our answers are complete when they are returned."""
        self._enter()
        _own.gate, answer = self, None
        try:
            answer = self._app(environ, start_response)
        finally:
            try:
                self._afterwards()
            finally:
                may_rest = type(answer) is list
                rests = self._leave(may_rest=may_rest) and may_rest
                _own.gate = None
        return _Last(answer, self) if rests else answer

    def _enter(self) -> None:
        """Take a place, or wait for one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def _leave(self, *, may_rest: bool) -> bool:
        """Give the place up; whether somebody stood in line for it, and so has brought a thread of its own."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return False
            turn = self._waiting.popleft()
            self._resting += may_rest
        turn.release()
        return True

    def _rest(self) -> None:
        """Keep this thread from taking another request until it is needed, or a while has passed."""
        try:
            self._wake.get(timeout=_REST_FOR)
        except Empty:
            with self._lock:
                is_woken = not self._resting
                self._resting -= not is_woken
            if is_woken:  # in this very moment
                self._wake.get()

    def _step_aside(self) -> None:
        """Give the place up for a while; where nobody stands in line, wake a thread to take the next request."""
        if self._leave(may_rest=False):
            return
        with self._lock:
            if not self._resting:
                return
            self._resting -= 1
        self._wake.put(None)


class _Last(list[bytes]):
    """The answer of a thread that is to rest: once the server has sent it, and lets go of it."""

    def __init__(self, answer: list[bytes], gate: Gate) -> None:
        super().__init__(answer)
        self._gate = gate

    def __del__(self) -> None:
        self._gate._rest()  # noqa: SLF001 - a part of it


def step_aside() -> Callable[[], None]:
    """Let another request through instead of this thread's; call what comes back to be let through again.

    A thread that came through no gate, or stands aside already, is in nobody's way.
    """
    gate: Gate | None = getattr(_own, "gate", None)
    if gate is None:
        return _stay
    _own.gate = None
    gate._step_aside()  # noqa: SLF001 - a part of it

    def come_back() -> None:
        gate._enter()  # noqa: SLF001
        _own.gate = gate

    return come_back


def _stay() -> None:
    pass


@contextmanager
def aside() -> Iterator[None]:
    """Stand aside while the block only waits."""
    come_back = step_aside()
    try:
        yield
    finally:
        come_back()
