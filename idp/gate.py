"""How many requests of a process are worked on at the same time, and how one steps aside while it only waits.

Threads that all want the interpreter hand it to one another in turn, each for milliseconds, and every request gets
slower. So the server has more threads than are let through: the others are for requests that wait outside the
interpreter, such as a sign-in for its password check. While nobody waits so, the surplus threads rest: a thread that
takes a request only to queue for its place costs as much as the request itself (decision 0032).

A request that takes long, such as a search in a large log, loses its place to the next one and goes on beside it: one
slow page must not stop the town.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A resting thread looks in so often, in seconds: the server ends threads that had no work for half a minute, and it
#: must never be those that do not rest.
_REST_FOR = 2.0

#: So often the watch looks at who has a place, in seconds. Whoever has one at two looks in a row loses it if others
#: have none: after 50 to 100 ms, ten times what an ordinary page takes.
_LOOK_EVERY = 0.05

_own = threading.local()


class Gate:
    """A WSGI application in which only so many requests are worked on at once."""

    def __init__(self, app: Any, *, at_once: int, afterwards: Callable[[], None] = lambda: None) -> None:
        """`afterwards` runs in the request's thread when it has been answered, and before it stands `aside`."""
        self._app, self._afterwards = app, afterwards
        self._lock = threading.Lock()
        self._free = at_once
        #: The threads that have a place, and how often the watch had looked when each got it.
        self._inside: dict[int, int] = {}
        self._looks = 0
        #: Who waits for a place, each behind a lock of its own that is taken.
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._resting = 0
        self._wake: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._watch, name="denizen-gate", daemon=True).start()

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
        me = threading.get_ident()
        with self._lock:
            if self._free:
                self._free -= 1
                self._inside[me] = self._looks
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append((me, turn))
        turn.acquire()

    def _leave(self, *, may_rest: bool) -> bool:
        """Give the place up; whether somebody stood in line for it, and so has brought a thread of its own."""
        with self._lock:
            if self._inside.pop(threading.get_ident(), None) is None:  # the watch has given it away
                return False
            is_taken = self._pass_on()
            self._resting += is_taken and may_rest
        return is_taken

    def _pass_on(self) -> bool:
        """Give a place to the first in line; False when nobody is there, and it stays free. The lock is held."""
        if not self._waiting:
            self._free += 1
            return False
        who, turn = self._waiting.popleft()
        self._inside[who] = self._looks
        turn.release()
        return True

    def _watch(self) -> None:
        """Give the places of requests that take long to others, for ever. They go on beside them."""
        while True:
            time.sleep(_LOOK_EVERY)
            with self._lock:
                self._looks += 1
                slow = [who for who, since in self._inside.items() if self._looks - since > 1]
                for who in slow:
                    if self._waiting or self._resting:
                        del self._inside[who]
                        if not self._pass_on():
                            self._wake_one()

    def _rest(self) -> None:
        """Keep this thread from taking another request until it is needed, or a while has passed."""
        try:
            self._wake.get(timeout=_REST_FOR)
        except Empty:
            self._go_on()

    def _go_on(self) -> None:
        """One that was to rest does not: it is counted no more, or takes the call that was meant for it."""
        with self._lock:
            if self._resting:
                self._resting -= 1
                return
        self._wake.get()

    def _wake_one(self) -> None:
        """Have a thread that rests take the next request, if there is one. The lock is held."""
        if self._resting:
            self._resting -= 1
            self._wake.put(None)

    def _step_aside(self) -> None:
        """Give the place up for a while; where nobody stands in line, wake a thread to take the next request."""
        if not self._leave(may_rest=False):
            with self._lock:
                self._wake_one()


class _Last(list[bytes]):
    """The answer of a thread that is to rest: once the server has sent it, and lets go of it.

    Now and then another thread lets go of it, such as the one that serves the network: that one must never wait.
    """

    def __init__(self, answer: list[bytes], gate: Gate) -> None:
        super().__init__(answer)
        self._gate, self._whose = gate, threading.get_ident()

    def __del__(self) -> None:
        if self._whose == threading.get_ident():
            self._gate._rest()  # noqa: SLF001 - a part of it
        else:
            self._gate._go_on()  # noqa: SLF001


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
    """Stand aside while the block only waits. What the request has of the database is for others to use meanwhile."""
    gate: Gate | None = getattr(_own, "gate", None)
    if gate is not None:
        gate._afterwards()  # noqa: SLF001 - a part of it
    come_back = step_aside()
    try:
        yield
    finally:
        come_back()
