"""The "This wasn't me" link that every notice carries: random, hashed at rest, once, and worth something for two weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from idp.accounts.models import NotMeLink
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from idp.messaging.ports import Reached
    from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Spent:
    """Whose link it was, at which contact point it was read (None: by post), and how far back its reader is believed.

    Nobody undoes what is older than `window_since`, as long ago as a link works; nor what is older than `reader_since`,
    when the reader came: a thief throws out nobody by the notices that go to an address of the thief's.
    """

    resident_id: str
    contact_id: str | None
    window_since: int
    reader_since: int


def not_me_links(
    session: Any, settings: Settings, resident_id: str, readers: Sequence[Reached | None], *, now: int
) -> list[str]:
    """For each reader of a notice (None: by post) a fresh address that freezes the account after a click.

    Its host is the issuer's, whatever a request says (K22).
    """
    links = [new_secret() for _ in readers]
    rows = [
        {
            "link_hash": digest(link),
            "resident_id": resident_id,
            "contact_id": reader.contact_id if reader else None,
            "since_at": reader.since_at if reader else None,
            "created_at": now,
            "expires_at": now + settings.accounts.not_me_for,
            "spent_at": None,
        }
        for link, reader in zip(links, readers, strict=True)
    ]
    if rows:
        session.execute(insert(NotMeLink), rows)
    return [f"{settings.server.issuer}/not-me/{link}" for link in links]


def whose(session: Any, unverified_link: str, *, now: int) -> str | None:
    """The resident whose notice a link stands in, while it works. Looking spends nothing: mail scanners look too."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    found: str | None = session.execute(
        select(NotMeLink.resident_id).where(*_live(unverified_link, now))
    ).scalar_one_or_none()
    return found


def spend(session: Any, unverified_link: str, *, now: int) -> Spent | None:
    """Spend a link; None when it is unknown, used or too old."""
    found = session.execute(
        update(NotMeLink)
        .where(*_live(unverified_link, now))
        .values(spent_at=now)
        .returning(
            NotMeLink.resident_id,
            NotMeLink.contact_id,
            NotMeLink.since_at,
            NotMeLink.created_at,
            NotMeLink.expires_at,
        )
    ).first()
    if found is None:
        return None
    window_since = now - (found.expires_at - found.created_at)
    reader_since = found.created_at if found.since_at is None else found.since_at + 1
    return Spent(found.resident_id, found.contact_id, window_since, reader_since)


def outdate(session: Any, resident_id: str, contact_ids: Collection[str], *, now: int) -> None:
    """Make every link worthless that was sent to these contact points."""
    session.execute(
        update(NotMeLink)
        .where(
            NotMeLink.resident_id == resident_id,
            NotMeLink.contact_id.in_(contact_ids),
            NotMeLink.spent_at.is_(None),
        )
        .values(spent_at=now)
        .execution_options(synchronize_session=False)
    )


def end_expired(session: Any, *, since: int, now: int) -> None:
    """Mark the links that the clock ended since then, so that none revives when it is set back (K40)."""
    session.execute(
        update(NotMeLink)
        .where(NotMeLink.expires_at > since, NotMeLink.expires_at <= now, NotMeLink.spent_at.is_(None))
        .values(spent_at=now),
        execution_options={"synchronize_session": False},
    )


def _live(unverified_link: str, now: int) -> tuple[Any, ...]:
    return (
        NotMeLink.link_hash == digest(unverified_link),
        NotMeLink.spent_at.is_(None),
        NotMeLink.expires_at > now,
    )
