"""Who of a provider is which resident. Nothing but the provider's own name for a person connects the two."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import String, bindparam, case, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from idp.login.levels import BASIC, LEVELS, PHR, STRONG, Method, rank
from idp.login.upstream.models import UpstreamIdentity
from idp.login.ways import RESIDENT, Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from keys.columns import IndexBytes
    from keys.envelope import Vault

_SAID = bindparam("said_level", type_=String)
_USE = (
    update(UpstreamIdentity)
    .where(
        UpstreamIdentity.subject_index == bindparam("who"),
        UpstreamIdentity.provider == bindparam("at_provider"),
    )
    .values(
        used_at=bindparam("at"),
        # It falls no more: whoever has less to show one day has not lost the other.
        level=case(
            (UpstreamIdentity.level.is_(None) | (UpstreamIdentity.level == BASIC) | (_SAID == PHR), _SAID),
            else_=UpstreamIdentity.level,
        ),
    )
    .returning(UpstreamIdentity.resident_id)
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A resident's connection with a provider."""

    id: str
    provider: str
    linked_at: int
    used_at: int | None


def subject_index(vault: Vault, issuer: str, subject: str) -> IndexBytes:
    """Under what a person of a provider is found: issuer and sub together (OIDC Core §5.7)."""
    return vault.blind_index("upstream", f"{issuer}\n{subject}")


def use(session: Session, who: IndexBytes, *, provider: str, level: str, now: int) -> str | None:
    """The resident whom an identity belongs to; notes that it was used, and what it proved if that is more than before."""
    asked = {"who": who, "at_provider": provider, "said_level": level, "at": now}
    return session.execute(_USE, asked).scalar()


def link(
    session: Session, who: IndexBytes, *, provider: str, level: str | None, resident_id: str, now: int
) -> bool:
    """Connect; False when the identity is somebody's already, or the resident has another one of this provider.

    `level` is what it proved when it came, None where that is not known.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    made = session.execute(
        insert(UpstreamIdentity)
        .values(
            id=secrets.token_urlsafe(16),
            provider=provider,
            subject_index=who,
            resident_id=resident_id,
            level=level,
            linked_at=now,
            used_at=None,
        )
        .on_conflict_do_nothing()
        .returning(UpstreamIdentity.id)
    ).first()
    return made is not None


def owner(session: Session, who: IndexBytes) -> str | None:
    """Whose an identity is."""
    return session.execute(
        select(UpstreamIdentity.resident_id).where(UpstreamIdentity.subject_index == who)
    ).scalar()


def of_resident(session: Session, resident_id: str) -> list[Connection]:
    """Every connection of a resident, the oldest first."""
    rows = session.execute(
        select(UpstreamIdentity)
        .where(UpstreamIdentity.resident_id == resident_id)
        .order_by(UpstreamIdentity.linked_at, UpstreamIdentity.id)
    ).scalars()
    return [Connection(row.id, row.provider, row.linked_at, row.used_at) for row in rows]


def remove(session: Session, connection_id: str, *, resident_id: str) -> str | None:
    """Take a connection of this very resident apart (K34); the provider it was with."""
    return session.execute(
        delete(UpstreamIdentity)
        .where(UpstreamIdentity.id == connection_id, UpstreamIdentity.resident_id == resident_id)
        .returning(UpstreamIdentity.provider)
    ).scalar()


def way(providers: Mapping[str, str]) -> Way:
    """Signing in upstream, as one of the town's ways in; a connection with a provider that is gone is none.

    `providers`: by id, the best level that each may say.
    """
    connected = _connected(providers)
    return Way(
        Method.UPSTREAM,
        "/login/upstream",
        connected,
        alone=connected,
        worth=_highest(providers),
        proved=_highest(providers, has_proved=True),
    )


def _connected(providers: Mapping[str, str], *levels: str) -> ColumnElement[bool]:
    """Whether the resident is connected with one of these; with `levels`, one that has proved such a level or may have."""
    which = [
        UpstreamIdentity.resident_id == RESIDENT,
        or_(*(UpstreamIdentity.provider == one for one in sorted(providers))),
    ]
    if levels:
        proved = (UpstreamIdentity.level == one for one in levels)
        which.append(or_(UpstreamIdentity.level.is_(None), *proved))
    return exists(select(1).where(*which))


def _highest(providers: Mapping[str, str], *, has_proved: bool = False) -> ColumnElement[str] | None:
    """The best level that the resident's own providers may say, or that was proved by one; None where none is above basic."""
    found = []
    for level in (PHR, STRONG):
        fitting = {one: most for one, most in providers.items() if rank(most) >= rank(level)}
        levels = LEVELS[rank(level) :] if has_proved else ()
        if fitting:
            found.append((_connected(fitting, *levels), level))
    return case(*found, else_=BASIC) if found else None
