"""Windows counted in Redis or Valkey, for towns with several nodes. When it is away, the database counts instead."""

from __future__ import annotations

import logging
import threading
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from idp.login.budgets.rules import window_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.login.budgets.rules import Count

log = logging.getLogger("denizen.login")

#: A sign-in waits so long for Redis, in seconds, and then asks it no more for the next while.
PATIENCE = 0.2
AWAY_FOR = 5.0

# One script is one step to Redis: it counts in every window up to one that is full, and says which that is; 0 for none.
_TAKE = """
for i, key in ipairs(KEYS) do
    local used = redis.call('INCR', key)
    if used == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
    if used > tonumber(ARGV[2 * i - 1]) then return i end
end
return 0
"""
_GIVE_BACK = """
for _, key in ipairs(KEYS) do
    if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
return 1
"""


class RedisWindows:
    """One server, shared by the threads of a process; every failure of it is answered with None, never with room."""

    def __init__(self, url: str) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
        from redis.retry import Retry

        client = Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),
        )
        self._take = client.register_script(_TAKE)
        self._give_back = client.register_script(_GIVE_BACK)
        self._errors: tuple[type[Exception], ...] = (RedisError, OSError)
        self._away_until = 0.0
        self._lock = threading.Lock()

    def take(self, counts: Sequence[Count], *, now: int) -> int | None:
        """Count one guess in each window: 0 when there was room in all, else the seconds to wait; None when away."""
        lives = [window_at(one.limit, now) + one.limit.window_for - now for one in counts]
        # Kept a while longer than counted, so that nodes whose clocks differ a little share a window's end.
        values = [
            value for one, live in zip(counts, lives, strict=True) for value in (one.limit.guesses, live + 60)
        ]
        full = self._ask(self._take, counts, values, now=now)
        return None if full is None else [0, *lives][full]

    def give_back(self, counts: Sequence[Count], *, now: int) -> bool:
        """Uncount one guess in each window; False when away."""
        return self._ask(self._give_back, counts, [], now=now) is not None

    def _ask(self, script: Any, counts: Sequence[Count], values: Sequence[int], *, now: int) -> Any:
        if time.monotonic() < self._away_until:
            return None
        keys = [f"denizen:{one.bucket}:{window_at(one.limit, now)}" for one in counts]
        try:
            return script(keys=keys, args=values)
        except self._errors as error:
            self._leave(error)
            return None

    def _leave(self, error: Exception) -> None:
        with self._lock:
            self._away_until = time.monotonic() + AWAY_FOR
        log.warning("redis away, the database counts cause=%s", type(error).__name__)


@cache
def redis_windows(url: str) -> RedisWindows:
    """The client of this address; its connections are opened at the first use, so after any fork."""
    return RedisWindows(url)
