"""What follows when a session has ended: partners are told, once, whatever ended it.

The end itself is the order to tell: whoever sets `ended_at`, for whatever cause, has told us in that very write, and
`told_at` says that it was taken in hand. So no cause can forget it, and no crash between the two loses it.

A resident who signs in again in the same browser goes on, as partners see it: the new session stands in the place of
the former one, and partners of both are told when the new one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, bindparam, or_, select, type_coerce, update

from idp.login.models import BrowserSession
from idp.statements import prepared

if TYPE_CHECKING:
    from collections.abc import Collection


_TAKE_OVER = prepared(
    update(BrowserSession)
    .where(
        or_(BrowserSession.id_hash == bindparam("cookie_hash"), BrowserSession.sid == bindparam("known_as")),
        BrowserSession.ended_at.is_(None),
    )
    .values(ended_at=bindparam("at"))
    .returning(
        BrowserSession.sid,
        BrowserSession.resident_id,
        type_coerce(BrowserSession.is_shared, Integer).label("is_shared"),
    )
)
_UNTOLD = (BrowserSession.ended_at.is_not(None), BrowserSession.told_at.is_(None))


class Ended(NamedTuple):
    """A session that has ended, by its public name, and whose it was."""

    sid: str
    resident_id: str


def take_over(connection: Any, former_hash: bytes, known_as: str, *, now: int) -> Any:
    """End the session that this browser had: its sid, whose it was and whether others use the computer; None without one.

    Also one that got another cookie since this request began, when the cookie was that of `known_as` ("" for none).

    The next one is `former_sid` of it when it is the same resident's, who signs in again.
    """
    asked = {"cookie_hash": former_hash, "known_as": known_as, "at": now}
    return connection.execute(_TAKE_OVER, asked).first()


def is_any_untold(connection: Any, *, now: int) -> bool:
    """Whether there is an end that nobody has taken in hand.

    One of this very second waits for the next: a request that had found the session alive may still be writing.
    """
    found = select(BrowserSession.sid).where(*_UNTOLD, BrowserSession.ended_at != now).limit(1)
    return connection.execute(found).first() is not None


def take_in_hand(connection: Any, *, limit: int, now: int) -> list[Ended]:
    """The sessions of which partners are to be told now: those that ended, with all that went before each.

    Each end is given out once. One that was taken over is passed by: it is told with its successor.
    """
    some = select(BrowserSession.id_hash).where(*_UNTOLD, BrowserSession.ended_at != now).limit(limit)
    taken = connection.execute(
        update(BrowserSession)
        .where(BrowserSession.id_hash.in_(some), *_UNTOLD)
        .values(told_at=now)
        .returning(BrowserSession.sid, BrowserSession.resident_id),
        execution_options={"synchronize_session": False},
    ).all()
    succeeded = _succeeded(connection, {row.sid for row in taken})
    last = {row.sid: row.resident_id for row in taken if row.sid not in succeeded}
    return [Ended(sid, last[of]) for sid, of in line_of(connection, last).items()]


def take_all_of(connection: Any, resident_id: str, *, now: int) -> set[str]:
    """The sessions of one resident that ended and were not told of yet, with all that went before each."""
    taken = connection.execute(
        update(BrowserSession)
        .where(BrowserSession.resident_id == resident_id, *_UNTOLD)
        .values(told_at=now)
        .returning(BrowserSession.sid),
        execution_options={"synchronize_session": False},
    )
    return set(line_of(connection, set(taken.scalars())))


def line_of(connection: Any, sids: Collection[str]) -> dict[str, str]:
    """These sessions and all that they stand in the place of, each by the last of its line."""
    found = {sid: sid for sid in sids}
    ahead = dict(found)
    while ahead:
        rows = connection.execute(
            select(BrowserSession.sid, BrowserSession.former_sid).where(
                BrowserSession.sid.in_(ahead), BrowserSession.former_sid.is_not(None)
            )
        ).all()
        ahead = {row.former_sid: ahead[row.sid] for row in rows if row.former_sid not in found}
        found |= ahead
    return found


def _succeeded(connection: Any, sids: Collection[str]) -> set[str]:
    """Those of these sessions that another one took the place of."""
    rows = connection.execute(select(BrowserSession.former_sid).where(BrowserSession.former_sid.in_(sids)))
    return set(rows.scalars())
