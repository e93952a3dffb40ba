"""Work for a thread of its own.

A worker that has held the browser has an event loop and a greenlet on its main thread: `asyncio.run` refuses to
start there, and CPython 3.11 miscounts the recursion of its parser.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """What `work` gives, or raises, in a fresh thread."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(work).result()
