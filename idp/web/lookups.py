"""Names that are being looked up: each once, whoever asks for it, and one that hangs is in nobody else's way (K39).

The system's resolver cannot be interrupted and may take half a minute, so each lookup has a thread of its own that is
waited for from outside, and goes on when nobody waits any more. Until it ends, the name is refused at once.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolve = Callable[[str, int], Sequence[str]]

#: Far more than all that fetch together can leave behind in half a minute, each five seconds for a name.
AT_ONCE = 128


@dataclass(slots=True)
class _Lookup:
    began: float
    found: Future[Sequence[str]] = field(default_factory=Future)


class Lookups:
    """Safe to share between threads. `patience` is how long a lookup may take, in seconds."""

    def __init__(self, resolve: Resolve, *, patience: float) -> None:
        self._resolve, self._patience = resolve, patience
        self._lock = threading.Lock()
        self._under_way: dict[str, _Lookup] = {}

    def addresses(self, host: str, port: int, *, within: float) -> Sequence[str]:
        """Every address of a name, within so many seconds.

        Raises:
            TimeoutError: when it takes longer, hangs since an earlier time, or too many others do.
            OSError: when there is no such name.
        """
        return self._lookup(host, port).found.result(timeout=within)

    def _lookup(self, host: str, port: int) -> _Lookup:
        with self._lock:
            lookup = self._under_way.get(host)
            if lookup is None:
                lookup = self._begin(host, port)
            elif time.monotonic() - lookup.began > self._patience:
                raise TimeoutError
        return lookup

    def _begin(self, host: str, port: int) -> _Lookup:
        if len(self._under_way) >= AT_ONCE:
            raise TimeoutError
        lookup = self._under_way[host] = _Lookup(time.monotonic())
        try:
            threading.Thread(
                target=self._run, args=(host, port, lookup.found), name="resolve", daemon=True
            ).start()
        except RuntimeError:  # the machine has no thread left
            del self._under_way[host]
            raise TimeoutError from None
        return lookup

    def _run(self, host: str, port: int, found: Future[Sequence[str]]) -> None:
        try:
            addresses = self._resolve(host, port)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            self._end(host)
            found.set_exception(error)
        else:
            self._end(host)
            found.set_result(addresses)

    def _end(self, host: str) -> None:
        with self._lock:
            del self._under_way[host]
