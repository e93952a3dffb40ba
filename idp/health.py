"""`/health`: whether this process can do its work now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select

from idp.web.answers import Answer, json_answer

if TYPE_CHECKING:
    from idp.web.context import Context
    from idp.web.incoming import Incoming

_ONE = select(literal(1).label("one"))


def answer(context: Context, incoming: Incoming) -> Answer:
    """200 when the database answers; 503 otherwise, by the rule for every endpoint."""
    context.database.fast.execute(_ONE)
    return json_answer(200, {"status": "ok"}) if incoming.method == "GET" else json_answer(200, {})
