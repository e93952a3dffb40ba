"""Windows counted in the database: one statement counts in a window and says how full it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer, column, text

from idp.login.budgets.rules import window_at
from idp.statements import prepared, quiet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.login.budgets.rules import Count

# A window never goes back: two nodes whose clocks differ must not begin it anew in turn.
_TAKE = prepared(
    text(
        "INSERT INTO login_budget (bucket, window_at, used) VALUES (:bucket, :window_at, 1) "
        "ON CONFLICT (bucket) DO UPDATE SET "
        "used = CASE WHEN excluded.window_at > login_budget.window_at THEN 1 ELSE login_budget.used + 1 END, "
        "window_at = CASE WHEN excluded.window_at > login_budget.window_at THEN excluded.window_at "
        "ELSE login_budget.window_at END RETURNING used, window_at"
    ).columns(column("used", Integer), column("window_at", BigInteger))
)
_GIVE_BACK = quiet(
    prepared(text("UPDATE login_budget SET used = used - 1 WHERE bucket = :bucket AND used > 0"))
)


def take(connection: Any, counts: Sequence[Count], *, now: int) -> int:
    """Count one guess in each window: 0 when there was room in all, else the seconds until there is again.

    Whatever is full counts nothing in the windows after it.
    """
    for one in counts:
        window = {"bucket": one.bucket, "window_at": window_at(one.limit, now)}
        row = connection.execute(_TAKE, window).first()
        if row.used > one.limit.guesses:
            return max(1, int(row.window_at) + one.limit.window_for - now)
    return 0


def give_back(connection: Any, counts: Sequence[Count]) -> None:
    """Uncount one guess in each window; the same order as in `take`, so that nobody waits in a circle."""
    for one in counts:
        connection.execute(_GIVE_BACK, {"bucket": one.bucket})
