"""A job that has many to do: each in a transaction of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.orm import Session

    from idp.db import Database

log = logging.getLogger("denizen.jobs")

One = TypeVar("One")


def one_by_one(
    database: Database,
    ones: Iterable[One],
    act: Callable[[Session, One], bool],
    *,
    failed: str,
    name: Callable[[One], str] = str,
) -> int:
    """Act on each; for how many `act` was true. One that fails is logged and holds up no other.

    `failed` says what did not happen, and last what the `name` of the one names: "not closed closure".
    """
    done = 0
    for one in ones:
        try:
            with database.transaction() as session:
                acted = act(session, one)
            done += acted
        except Exception:
            log.exception("%s=%s", failed, name(one))
    return done
