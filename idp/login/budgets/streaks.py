"""Consecutive failures of one authenticator: pauses that grow, and a cap for life. Always in the database, which keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer, bindparam, column, select, text

from idp.login.budgets.models import FailureStreak
from idp.login.budgets.rules import PASSED, SPENT_RETRY_AFTER, Verdict
from idp.statements import prepared, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.login.budgets.rules import Streak

# The condition and the count are one write, so that parallel guesses cannot share what is left (K26).
_COUNT = prepared(
    text(
        "INSERT INTO login_streak (bucket, failures, waits_until, expires_at) "
        "VALUES (:bucket, 1, 0, :expires_at) "
        "ON CONFLICT (bucket) DO UPDATE SET failures = login_streak.failures + 1, expires_at = excluded.expires_at, "
        "waits_until = CASE WHEN login_streak.failures + 1 < :free THEN 0 "
        "WHEN login_streak.failures + 1 >= :free + :doublings THEN :now + :longest_for "
        "ELSE :now + :first_for * (1 << (login_streak.failures + 1 - :free)) END "
        "WHERE login_streak.waits_until <= :now AND login_streak.failures < :cap "
        "RETURNING failures"
    )
    .bindparams(
        bindparam("now", type_=BigInteger),
        *(
            bindparam(name, type_=Integer)
            for name in ("free", "doublings", "first_for", "longest_for", "cap")
        ),
    )
    .columns(column("failures", Integer))
)
_LOOK = prepared(
    select(FailureStreak.failures, FailureStreak.waits_until).where(
        FailureStreak.bucket == bindparam("bucket")
    )
)
_FORGET = quiet(prepared(text("DELETE FROM login_streak WHERE bucket IN (:first, :second)")))
_FAILURES = prepared(
    text("SELECT failures FROM login_streak WHERE bucket = :bucket").columns(column("failures", BigInteger))
)
#: A count that belongs to nobody is kept this long after its last guess, in seconds.
STAND_IN_FOR = 365 * 86_400


def count(connection: Any, streak: Streak, *, now: int) -> Verdict:
    """Count one guess, if the authenticator has one now."""
    pauses = streak.pauses
    counted = connection.execute(
        _COUNT,
        {
            "bucket": streak.bucket,
            "now": now,
            "expires_at": now + STAND_IN_FOR if streak.is_stand_in else None,
            "free": pauses.free,
            "doublings": pauses.doublings,
            "first_for": pauses.first_for,
            "longest_for": pauses.longest_for,
            "cap": pauses.cap,
        },
    ).first()
    if counted is not None:
        return PASSED
    found = connection.execute(_LOOK, {"bucket": streak.bucket}).first()
    if found is None:  # a right answer has just removed it; the next guess finds room
        return Verdict(ok=False, retry_after=1)
    if found.failures >= pauses.cap:
        return Verdict(ok=False, retry_after=SPENT_RETRY_AFTER, is_spent=True)
    return Verdict(ok=False, retry_after=max(1, found.waits_until - now))


def forget(connection: Any, buckets: Sequence[str]) -> None:
    """Both pools of an authenticator. A right answer, or a new secret: nothing is counted any more."""
    if buckets:
        first, second = buckets
        connection.execute(_FORGET, {"first": first, "second": second})


def failures(connection: Any, bucket: str) -> int:
    """Consecutive failures counted so far."""
    found = connection.execute(_FAILURES, {"bucket": bucket}).first()
    return 0 if found is None else int(found.failures)
