"""Who may wait for somebody else's server now: few at once, and nobody keeps the places from others (K17, K39)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So many are at work at the same time.
AT_ONCE = 4
#: Of these so many for one owner, however many names it has: the others are for everybody else.
OF_ONE_OWNER = 2
#: So many more wait for a turn, each for so long in seconds, and so many for one owner; whoever comes then is refused at
#: once.
WAITING = 6
WAITING_OF_ONE_OWNER = 4
WAIT_FOR = 1.0


class Turns:
    """Safe to share between threads."""

    def __init__(self, *, wait_for: float = WAIT_FOR) -> None:
        self._wait_for = wait_for
        self._changed = threading.Condition()
        #: Names at work, each with its owner.
        self._at_work: dict[str, str] = {}
        #: The owners of those who wait.
        self._waiting: list[str] = []

    @contextmanager
    def of(self, name: str, owner: str) -> Iterator[bool]:
        """Whether it is this name's turn for the block: once at a time, and not too often for its owner."""
        if not self._begin(name, owner):
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                del self._at_work[name]
                self._changed.notify_all()

    def _begin(self, name: str, owner: str) -> bool:
        def is_free() -> bool:
            own = sum(1 for one in self._at_work.values() if one == owner)
            return len(self._at_work) < AT_ONCE and own < OF_ONE_OWNER and name not in self._at_work

        with self._changed:
            if not is_free():
                if len(self._waiting) >= WAITING or self._waiting.count(owner) >= WAITING_OF_ONE_OWNER:
                    return False
                self._waiting.append(owner)
                try:
                    if not self._changed.wait_for(is_free, timeout=self._wait_for):
                        return False
                finally:
                    self._waiting.remove(owner)
            self._at_work[name] = owner
            return True
