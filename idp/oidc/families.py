"""The tokens of a session: which clients hold some, and how they end with it.

An authorization is a code and the family of tokens from it; it names the session in which it was given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select, update

from idp.login import endings
from idp.login.models import BrowserSession
from idp.oidc.models import Authorization, Grant

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_IS_OFFLINE = (" " + Authorization.scope + " ").like("% offline_access %")


@dataclass(frozen=True, slots=True)
class Used:
    """A client that was answered in a session, and when last."""

    client_id: str
    last_at: int


class Answered(NamedTuple):
    """A client that was answered in a session, and whose that was."""

    client_id: str
    sid: str
    resident_id: str


def end_families_of_session(
    connection: Any, resident_id: str, sid: str, *, offline: bool = False, now: int
) -> None:
    """End the tokens of a session that ends, and of those that it stands in the place of (`endings.line_of`).

    Those that outlive it by agreement (offline_access) end with `offline`: signing out leaves these; a device that the
    resident sends away loses them, too.
    """
    which: list[Any] = [Authorization.sid.in_(endings.line_of(connection, {sid}))]
    if not offline:
        which.append(~_IS_OFFLINE)
    _end_families(connection, resident_id, which, now=now)


def end_families_of_sessions(
    connection: Any, resident_ids: Collection[str], sids: Collection[str], *, now: int
) -> None:
    """End the tokens of sessions that have ended, whatever ended them, but for those that outlive them by agreement."""
    own_grants = select(Grant.id).where(Grant.resident_id.in_(resident_ids))
    connection.execute(
        update(Authorization)
        .where(
            Authorization.grant_id.in_(own_grants),
            Authorization.sid.in_(sids),
            Authorization.revoked_at.is_(None),
            ~_IS_OFFLINE,
        )
        .values(revoked_at=now),
        execution_options={"synchronize_session": False},
    )


def end_all_families(connection: Any, resident_id: str, *, but: str | None = None, now: int) -> None:
    """End every token of a resident, but for those of one session if its name is given; what was agreed to stays."""
    _end_families(connection, resident_id, [] if but is None else [Authorization.sid != but], now=now)


def end_expired(connection: Any, *, since: int, now: int) -> None:
    """End the long-lived families that the clock ended since then, so that none revives when it is set back (K40).

    All others live for so short that the time of their making tells.
    """
    connection.execute(
        update(Authorization)
        .where(
            Authorization.expires_at > since,
            Authorization.expires_at <= now,
            Authorization.revoked_at.is_(None),
            _IS_OFFLINE,
        )
        .values(revoked_at=now),
        execution_options={"synchronize_session": False},
    )


def _end_families(connection: Any, resident_id: str, which: list[Any], *, now: int) -> None:
    own_grants = select(Grant.id).where(Grant.resident_id == resident_id)
    connection.execute(
        update(Authorization)
        .where(Authorization.grant_id.in_(own_grants), Authorization.revoked_at.is_(None), *which)
        .values(revoked_at=now),
        execution_options={"synchronize_session": False},
    )


def clients_of_sessions(
    connection: Any, resident_ids: Collection[str], sids: Collection[str]
) -> list[Answered]:
    """The clients that were answered in some sessions, each once a session."""
    rows = connection.execute(
        select(Authorization.client_id, Authorization.sid, Grant.resident_id)
        .join(Grant, Grant.id == Authorization.grant_id)
        .where(Grant.resident_id.in_(resident_ids), Authorization.sid.in_(sids))
        .distinct()
    )
    return [Answered(*row) for row in rows]


def live_sids(connection: Any, resident_id: str, client_id: str, *, now: int) -> list[str]:
    """The sessions in which a client was answered and that go on, as it sees them (`endings.line_of`)."""
    live = connection.execute(
        select(BrowserSession.sid).where(
            BrowserSession.resident_id == resident_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.expires_at > now,
        )
    ).scalars()
    rows = connection.execute(
        select(Authorization.sid)
        .join(Grant, Grant.id == Authorization.grant_id)
        .where(
            Grant.resident_id == resident_id,
            Grant.client_id == client_id,
            Authorization.sid.in_(endings.line_of(connection, set(live))),
        )
        .distinct()
    )
    return [row.sid for row in rows]


def used_in_sessions(connection: Any, resident_id: str, sids: Sequence[str]) -> dict[str, list[Used]]:
    """The clients that were answered in some sessions of a resident, by session: each once, the latest first.

    With those of the sessions that one stands in the place of: they go on in it (`endings.line_of`).
    """
    if not sids:
        return {}
    last_of = endings.line_of(connection, sids)
    rows = connection.execute(
        select(
            Authorization.sid,
            Authorization.client_id,
            func.max(Authorization.created_at).label("last_at"),
        )
        .join(Grant, Grant.id == Authorization.grant_id)
        .where(Grant.resident_id == resident_id, Authorization.sid.in_(last_of))
        .group_by(Authorization.sid, Authorization.client_id)
        .order_by(func.max(Authorization.created_at).desc(), Authorization.client_id)
    )
    found: dict[str, dict[str, Used]] = {}
    for row in rows:
        found.setdefault(last_of[row.sid], {}).setdefault(row.client_id, Used(row.client_id, row.last_at))
    return {sid: list(used.values()) for sid, used in found.items()}
