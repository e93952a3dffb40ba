"""`/health`: whether this process can do its work now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from consent import log
from idp.jobs.models import Stamp
from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from idp.web.context import Context
    from idp.web.incoming import Incoming

#: A table of ours: SQLite answers `SELECT 1` even where the database is missing.
_ANY = select(Stamp.name).limit(1)


def answer(context: Context, incoming: Incoming) -> Answer:
    """200 when the database answers; 503 otherwise, by the rule for every endpoint.

    `log_lag` is how many seconds the oldest entry has waited for its place in the log: a few are usual.
    """
    fast = context.database.fast
    fast.execute(_ANY)
    found = json_answer(200, {"status": "ok", "log_lag": log.lag(fast, now=context.now())})
    return found if incoming.method == "GET" else found._replace(body=b"")
