"""What one Argon2id verification costs by itself, to hold a whole password sign-in against."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher

from idp.settings import PasswordSettings

PASSWORD = "one house in Riverton"


def _hasher() -> PasswordHasher:
    cost = PasswordSettings()
    return PasswordHasher(time_cost=cost.iterations, memory_cost=cost.memory_kib, parallelism=cost.lanes)


def _verification_ms(hasher: PasswordHasher, stored: str) -> float:
    start = time.thread_time()
    hasher.verify(stored, PASSWORD)
    return (time.thread_time() - start) * 1000


def argon2_ms(times: int = 5) -> list[float]:
    """CPU milliseconds of verifications with the default settings, one after another."""
    hasher = _hasher()
    stored = hasher.hash(PASSWORD)
    return [_verification_ms(hasher, stored) for _ in range(times)]


def argon2_crowded_ms(times: int = 5) -> list[float]:
    """The same on every core at once: cores share the memory's bandwidth, and a sign-in storm uses them all."""
    hasher = _hasher()
    stored = hasher.hash(PASSWORD)
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(lambda _: _verification_ms(hasher, stored), range(times * cores)))
