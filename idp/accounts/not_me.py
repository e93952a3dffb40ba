"""The "This wasn't me" link that every notice carries: random, hashed at rest, once, and worth something for two weeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from idp.accounts.models import NotMeLink
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Spent:
    """Whose notice it was, and when it was written: what was added since then may be somebody else's."""

    resident_id: str
    since: int


def not_me_link(session: Any, settings: Settings, resident_id: str, *, now: int) -> str:
    """A fresh address that freezes the account after a click; its host is the issuer's, whatever a request says (K22)."""
    link = new_secret()
    session.execute(
        insert(NotMeLink).values(
            link_hash=digest(link),
            resident_id=resident_id,
            created_at=now,
            expires_at=now + settings.accounts.not_me_for,
            spent_at=None,
        )
    )
    return f"{settings.server.issuer}/not-me/{link}"


def whose(session: Any, unverified_link: str, *, now: int) -> str | None:
    """The resident whose notice a link stands in, while it works. Looking spends nothing: mail scanners look too."""
    if len(unverified_link) != VALUE_LENGTH:
        return None
    found: str | None = session.execute(
        select(NotMeLink.resident_id).where(*_live(unverified_link, now))
    ).scalar_one_or_none()
    return found


def spend(session: Any, unverified_link: str, *, now: int) -> Spent | None:
    """Spend a link and say whose it was, and since when; None when it is unknown, used or too old."""
    found = session.execute(
        update(NotMeLink)
        .where(*_live(unverified_link, now))
        .values(spent_at=now)
        .returning(NotMeLink.resident_id, NotMeLink.created_at)
    ).first()
    return None if found is None else Spent(found.resident_id, found.created_at)


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
