"""How many requests of a process are worked on at the same time, and how one steps aside while it only waits.

Threads that all want the interpreter hand it to one another in turn, each for milliseconds, and every request gets
slower. So the server has more threads than are let through: the others are for requests that wait outside the
interpreter, such as a sign-in for its password check.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_own = threading.local()


class Gate:
    """A WSGI application in which only so many requests are worked on at once."""

    def __init__(self, app: Any, *, at_once: int, afterwards: Callable[[], None] = lambda: None) -> None:
        """`afterwards` runs in the request's thread when it has been answered."""
        self._app, self._afterwards = app, afterwards
        # Of all that threads can wait for, this costs least: it is on the way of every request.
        self.free: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self.free.put(None)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request. Our answers are complete when they are returned."""
        free = _own.free = self.free
        free.get()
        try:
            return self._app(environ, start_response)
        finally:
            try:
                self._afterwards()
            finally:
                free.put(None)
                _own.free = None


def step_aside() -> Callable[[], None]:
    """Let another request through instead of this thread's; call what comes back to be let through again.

    A thread that came through no gate, or stands aside already, is in nobody's way.
    """
    free: SimpleQueue[None] | None = getattr(_own, "free", None)
    if free is None:
        return _stay
    _own.free = None
    free.put(None)

    def come_back() -> None:
        free.get()
        _own.free = free

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
