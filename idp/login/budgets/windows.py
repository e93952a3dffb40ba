"""Windows counted in the database: one statement counts in all of them and says how full they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer, String, column, text

from idp.login.budgets.rules import window_at
from idp.statements import prepared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.login.budgets.rules import Count

_MOST = 3
# A window never goes back: two nodes whose clocks differ must not begin it anew in turn.
_TAKE = {
    size: text(
        "INSERT INTO login_budget (bucket, window_at, used) VALUES "  # noqa: S608 - only the number of rows varies
        + ", ".join(f"(:bucket_{i}, :window_{i}, 1)" for i in range(size))
        + " ON CONFLICT (bucket) DO UPDATE SET "
        "used = CASE WHEN excluded.window_at > login_budget.window_at THEN 1 ELSE login_budget.used + 1 END, "
        "window_at = CASE WHEN excluded.window_at > login_budget.window_at THEN excluded.window_at "
        "ELSE login_budget.window_at END RETURNING bucket, used, window_at"
    ).columns(column("bucket", String), column("used", Integer), column("window_at", BigInteger))
    for size in range(1, _MOST + 1)
}
_GIVE_BACK = prepared(text("UPDATE login_budget SET used = used - 1 WHERE bucket = :bucket AND used > 0"))


def take(connection: Any, counts: Sequence[Count], *, now: int) -> int:
    """Count one guess in each window: 0 when there was room in all, else the seconds until there is again."""
    values: dict[str, Any] = {}
    for i, one in enumerate(counts):
        values |= {f"bucket_{i}": one.bucket, f"window_{i}": window_at(one.limit, now)}
    found = {row.bucket: row for row in connection.execute(_TAKE[len(counts)], values).all()}
    waits = [
        max(1, found[one.bucket].window_at + one.limit.window_for - now)
        for one in counts
        if found[one.bucket].used > one.limit.guesses
    ]
    return max(waits, default=0)


def give_back(connection: Any, counts: Sequence[Count]) -> None:
    """Uncount one guess in each window; the same order as in `take`, so that nobody waits in a circle."""
    for one in counts:
        connection.execute(_GIVE_BACK, {"bucket": one.bucket})
