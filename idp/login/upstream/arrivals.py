"""Newcomers: known to a provider and not to us. What the provider said waits here, in rows of ours, for one browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, insert, select, update

from idp.login.attempts import CLOCK_LEEWAY
from idp.login.upstream.models import UpstreamArrival
from idp.login.upstream.rules import Newcomer
from idp.web.cookies import VALUE_LENGTH, digest, new_secret
from keys.columns import IndexBytes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from idp.login.upstream.states import Place
    from keys.envelope import Vault

WAIT_FOR = 3600
_KEY = "upstream"
_CONTEXT = "login_upstream_arrival.kept"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came from a provider. `attempt` is the sign-in that waits ("" when a resident connects).

    `level` is what they proved there; None for those who came to an older version.
    """

    handle: str
    provider: str
    subject_index: IndexBytes
    person: Newcomer
    attempt: str
    level: str | None
    created_at: int


def keep(
    session: Any,
    vault: Vault,
    place: Place,
    who: IndexBytes,
    person: Newcomer,
    *,
    attempt: str,
    level: str,
    now: int,
) -> str:
    """Keep what a provider said for an hour; the handle for the address. What others left behind is cleared away."""
    session.execute(delete(UpstreamArrival).where(UpstreamArrival.expires_at <= now))
    handle = new_secret()
    kept = {
        "attributes": dict(person.attributes),
        "email": person.email,
        "email_verified": person.email_verified,
        "attempt": attempt,
        "level": level,
    }
    session.execute(
        insert(UpstreamArrival).values(
            handle_hash=digest(handle),
            provider=place.provider,
            browser_hash=digest(place.browser),
            subject_index=who,
            kept=vault.service_data_key(_KEY).seal(orjson.dumps(kept).decode(), _CONTEXT),
            created_at=now,
            expires_at=now + WAIT_FOR,
            spent_at=None,
        )
    )
    return handle


def find(session: Any, vault: Vault, unverified_handle: str, *, browser: str, now: int) -> Arrival | None:
    """Who waits behind a handle, if they came in this very browser."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    row = session.execute(select(UpstreamArrival).where(*_waits(unverified_handle, browser, now))).scalar()
    return None if row is None else _opened(vault, row, unverified_handle)


def spent_with(session: Any, unverified_handle: str, *, browser: str) -> str | None:
    """The provider of who waited here, if what became of it was settled in this very browser already."""
    provider: str | None = session.execute(
        select(UpstreamArrival.provider).where(
            UpstreamArrival.handle_hash == digest(unverified_handle),
            UpstreamArrival.browser_hash == digest(browser),
            UpstreamArrival.spent_at.is_not(None),
        )
    ).scalar()
    return provider


def spend(session: Any, arrival: Arrival, *, browser: str, now: int) -> bool:
    """End the waiting; true for exactly one of parallel callers. What the provider said is gone with it."""
    ended = session.execute(
        update(UpstreamArrival)
        .where(*_waits(arrival.handle, browser, now))
        .values(spent_at=now, kept=None)
        .returning(UpstreamArrival.handle_hash)
    ).first()
    return ended is not None


def _waits(handle: str, browser: str, now: int) -> tuple[ColumnElement[bool], ...]:
    return (
        UpstreamArrival.handle_hash == digest(handle),
        UpstreamArrival.browser_hash == digest(browser),
        UpstreamArrival.spent_at.is_(None),
        UpstreamArrival.expires_at > now,
        UpstreamArrival.created_at <= now + CLOCK_LEEWAY,
    )


def _opened(vault: Vault, row: UpstreamArrival, handle: str) -> Arrival:
    assert row.kept is not None
    kept = orjson.loads(vault.service_data_key(_KEY).open(row.kept, _CONTEXT))
    attempt, level = kept.pop("attempt"), kept.pop("level", None)
    who, person = IndexBytes(row.subject_index), Newcomer(**kept)
    return Arrival(handle, row.provider, who, person, attempt, level, row.created_at)
