"""What a partner app remembers: who is signed in in which browser, in its own memory and nowhere else."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Kept = TypeVar("Kept")
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Visit:
    """A person who is signed in: the tokens of the sign-in, and what is known about them.

    `person` is None once Riverton no longer lets us see their data; `is_over` once they have signed out elsewhere, and
    then nothing else is kept.
    """

    token: dict[str, Any]
    subject: str
    person: dict[str, Any] | None
    sid: str = ""
    is_over: bool = False


class Memory(Generic[Kept]):
    """Values by key, the oldest dropped beyond a thousand. Safe to use from several threads.

    Its `get`, `set` and `delete` are what Authlib asks of a cache; a restart ends what was kept, so lifetimes
    need not be counted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: OrderedDict[str, Kept] = OrderedDict()

    def __bool__(self) -> bool:
        """An empty one is one, too: Authlib asks."""
        return True

    def get(self, key: str) -> Kept | None:
        """The value of a key, or None."""
        with self._lock:
            return self._values.get(key)

    def set(self, key: str, value: Kept, _expires_in: int = 0) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = value
            while len(self._values) > _MOST:
                self._values.popitem(last=False)

    def delete(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._values.pop(key, None)

    def find(self, fits: Callable[[Kept], bool]) -> list[str]:
        """The keys of all values that fit."""
        with self._lock:
            return [key for key, value in self._values.items() if fits(value)]

    def add(self, value: Kept) -> str:
        """Keep a value under a new key that nobody can guess."""
        key = secrets.token_urlsafe(32)
        self.set(key, value)
        return key
