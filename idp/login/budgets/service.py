"""Counting guesses. Every function here is called before a secret is looked at, or after it was right."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from idp.login.budgets import streaks, windows
from idp.login.budgets.redis_windows import redis_windows
from idp.login.budgets.rules import (
    PASSED,
    POOLS,
    Count,
    Guess,
    Limit,
    Verdict,
    counts_in,
    counts_of,
    streak_bucket,
    streak_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.login.budgets.redis_windows import RedisWindows
    from idp.web.context import Context
    from keys.envelope import Vault

log = logging.getLogger("denizen.login")


def spend(ctx: Context, guess: Guess, *, now: int) -> Verdict:
    """Count one guess, in transactions of its own that are over when this returns.

    Never call it inside another transaction: SQLite has one writer. A refused guess costs the authenticator
    nothing, so whoever has no budget left cannot use up anybody's.
    """
    if ctx.settings.testing.enabled:
        return PASSED
    key = _key(ctx.vault)
    counts = _counts(ctx, guess)
    wait, is_counted = _in_redis(ctx, counts, now=now)
    if wait:
        return _refused(guess, Verdict(ok=False, retry_after=wait))
    streak = streak_of(key, guess)
    # Everybody sees the count at once; what a power failure takes back of it is a guess or two.
    connection = ctx.database.fast.unhurried
    if not is_counted:
        wait = windows.take(connection, counts, now=now)
    verdict = Verdict(ok=not wait, retry_after=wait)
    if verdict and streak is not None:
        verdict = streaks.count(connection, streak, now=now)
    return verdict or _refused(guess, verdict)


def refund(ctx: Context, guess: Guess, *, now: int, connection: Any = None) -> None:
    """A right answer was no guess: its windows get it back, and the authenticator's failures are forgotten.

    With a connection it is part of that transaction, else it has one of its own.
    """
    if ctx.settings.testing.enabled:
        return
    counts = _counts(ctx, guess)
    redis = _redis(ctx)
    if redis is not None and redis.give_back(counts, now=now):
        counts = []
    buckets = _buckets(ctx.vault, guess.kind, guess.authenticator)
    if connection is not None:
        _forget(connection, counts, buckets)
        return
    with ctx.database.fast.transaction() as own:
        _forget(own, counts, buckets)


def take(ctx: Context, *counted: tuple[Limit, str], now: int, connection: Any = None) -> Verdict:
    """Count one use in each window and say whether all had room: for what is no guess, such as sending mail.

    With a connection it is part of that transaction, else it has one of its own. Name the window of the source before that of somebody's address: what is full counts nothing in those after it, so
    whoever has used up their own cannot use up another's.
    """
    if ctx.settings.testing.enabled:
        return PASSED
    key = _key(ctx.vault)
    counts = [window for limit, part in counted for window in counts_in(key, limit, part)]
    wait, is_counted = _in_redis(ctx, counts, now=now)
    if not is_counted:
        wait = windows.take(connection or ctx.database.fast.unhurried, counts, now=now)
    return Verdict(ok=not wait, retry_after=wait)


def restore(connection: Any, vault: Vault, kind: str, authenticator: str) -> None:
    """A new secret has its whole budget; part of the transaction that sets it."""
    streaks.forget(connection, _buckets(vault, kind, authenticator))


def is_spent(connection: Any, vault: Vault, kind: str, authenticator: str) -> bool:
    """Whether strangers have used up an authenticator's failures, so that only its owner's devices may try it."""
    strangers = POOLS[0]
    bucket = streak_bucket(_key(vault), kind, authenticator, strangers)
    return streaks.failures(connection, bucket) >= strangers.cap


def _counts(ctx: Context, guess: Guess) -> list[Count]:
    throttle = ctx.settings.throttle
    return counts_of(_key(ctx.vault), guess, per_source=throttle.per_source, per_town=throttle.per_town)


def _buckets(vault: Vault, kind: str, authenticator: str | None) -> list[str]:
    if authenticator is None:
        return []
    return [streak_bucket(_key(vault), kind, authenticator, pool) for pool in POOLS]


def _forget(connection: Any, counts: Sequence[Count], buckets: Sequence[str]) -> None:
    windows.give_back(connection, counts)
    streaks.forget(connection, buckets)


def _in_redis(ctx: Context, counts: Sequence[Count], *, now: int) -> tuple[int, bool]:
    """How long to wait, and whether Redis has counted at all; when it is away, the database counts instead."""
    redis = _redis(ctx)
    wait = None if redis is None else redis.take(counts, now=now)
    return wait or 0, wait is not None


def _redis(ctx: Context) -> RedisWindows | None:
    url = ctx.settings.throttle.redis_url
    return redis_windows(url) if url else None


def _key(vault: Vault) -> bytes:
    return vault.subkey("budgets")


def _refused(guess: Guess, verdict: Verdict) -> Verdict:
    if verdict.is_spent and guess.authenticator is not None:
        log.warning("authenticator disabled after too many failures kind=%s", guess.kind)
    else:
        log.info("throttled kind=%s known_device=%s", guess.kind, guess.device is not None)
    return verdict
