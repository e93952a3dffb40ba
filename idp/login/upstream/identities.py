"""Who of a provider is which resident. Nothing but the provider's own name for a person connects the two."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from idp.login.levels import Method
from idp.login.upstream.models import UpstreamIdentity
from idp.login.ways import RESIDENT, Way

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from keys.columns import IndexBytes
    from keys.envelope import Vault

_USE = (
    update(UpstreamIdentity)
    .where(
        UpstreamIdentity.subject_index == bindparam("who"),
        UpstreamIdentity.provider == bindparam("at_provider"),
    )
    .values(used_at=bindparam("at"))
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


def use(session: Session, who: IndexBytes, *, provider: str, now: int) -> str | None:
    """The resident whom an identity belongs to; notes that it was used."""
    return session.execute(_USE, {"who": who, "at_provider": provider, "at": now}).scalar()


def link(session: Session, who: IndexBytes, *, provider: str, resident_id: str, now: int) -> bool:
    """Connect; False when the identity is somebody's already, or the resident has another one of this provider."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    made = session.execute(
        insert(UpstreamIdentity)
        .values(
            id=secrets.token_urlsafe(16),
            provider=provider,
            subject_index=who,
            resident_id=resident_id,
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


def way(providers: Collection[str], worth: str) -> Way:
    """Signing in upstream, as one of the town's ways in; a connection with a provider that is gone is none.

    `worth`: the level of the best that any of them says.
    """
    connected = exists(
        select(1).where(
            UpstreamIdentity.resident_id == RESIDENT,
            or_(*(UpstreamIdentity.provider == one for one in sorted(providers))),
        )
    )
    return Way(Method.UPSTREAM, "/login/upstream", connected, alone=connected, worth=worth)
