"""How sessions are kept, of residents and of staff alike: judged by the clock, noted when used, ended for good.

A table of sessions has `id_hash`, `seen_at`, `expires_at` and `ended_at`. Staff have a table of their own; what
is done with its rows is done here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, update

from idp.login.rules import is_alive

#: `seen_at` is written at most this often, in seconds, so that use does not mean a write per request.
SEEN_STEP = 60


class Keeping:
    """The statements on one table of sessions, built once at module level."""

    def __init__(self, table: Any) -> None:
        self._table = table
        live = update(table).where(table.id_hash == bindparam("cookie_hash"), table.ended_at.is_(None))
        self._touch = live.values(seen_at=bindparam("at"))
        self._end = live.values(ended_at=bindparam("at")).execution_options(synchronize_session=False)

    def is_live(self, connection: Any, row: Any, *, idle_for: int, now: int, step: int = SEEN_STEP) -> bool:
        """Whether a session goes on; if so, note that it was used.

        One that is over by the clock is ended for good when somebody comes with it: no clock that is set back
        afterwards revives it (K40).
        """
        if row.ended_at is not None:
            return False
        if not is_alive(seen_at=row.seen_at, expires_at=row.expires_at, idle_for=idle_for, now=now):
            connection.execute(self._end, {"cookie_hash": row.id_hash, "at": now})
            return False
        if now - row.seen_at >= step:
            connection.execute(self._touch, {"cookie_hash": row.id_hash, "at": now})
        return True

    def end(self, session: Any, *which: Any, now: int) -> list[bytes]:
        """End the live sessions that fit; the hashes of those that this call ended."""
        table = self._table
        statement = update(table).where(*which, table.ended_at.is_(None)).values(ended_at=now)
        ended = session.execute(
            statement.returning(table.id_hash), execution_options={"synchronize_session": False}
        )
        return [row.id_hash for row in ended.all()]
