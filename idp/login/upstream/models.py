"""Tables of sign-in upstream: whom a provider knows, requests under way, newcomers who have no account yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import BlindIndex, IndexBytes, Sealed, SealedBytes


class UpstreamIdentity(Base):
    """Somebody whom a provider knows is this resident. An identity belongs to one resident, who has one a provider."""

    __tablename__ = "login_upstream_identity"
    __table_args__ = (UniqueConstraint("resident_id", "provider"),)

    id: Mapped[str] = mapped_column(
        String(22), primary_key=True, comment="Name of the connection in addresses of pages. pii=no"
    )
    provider: Mapped[str] = mapped_column(String(32), comment="Which provider, by its id here. pii=no")
    subject_index: Mapped[IndexBytes] = mapped_column(
        BlindIndex, unique=True, comment="Blind index of issuer and sub (OIDC Core §5.7). pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), comment="Who it is here. pii=no")
    level: Mapped[str | None] = mapped_column(
        String(40), comment="Highest level that it has proved here; NULL: not known. pii=no"
    )
    linked_at: Mapped[int] = mapped_column(BigInteger, comment="When it was connected. pii=no")
    used_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it signed in last. pii=no")


class UpstreamState(Base):
    """One request to a provider: for one browser, once. Only the hash of its `state` is kept."""

    __tablename__ = "login_upstream_state"
    __table_args__ = ({"sqlite_with_rowid": False},)

    state_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the state. pii=no"
    )
    provider: Mapped[str] = mapped_column(String(32), comment="Who was asked, by its id here. pii=no")
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    kept: Mapped[SealedBytes] = mapped_column(
        Sealed, comment="Nonce, code verifier, the sign-in that waits; sealed by the service. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was asked. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When an answer comes too late. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When an answer came first. pii=no")


class UpstreamArrival(Base):
    """Somebody whom a provider knows and we do not: they connect an account, make one, or go away."""

    __tablename__ = "login_upstream_arrival"
    __table_args__ = (
        CheckConstraint("(kept IS NULL) = (spent_at IS NOT NULL)", name="kept"),
        {"sqlite_with_rowid": False},
    )

    handle_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the handle in the address. pii=no"
    )
    provider: Mapped[str] = mapped_column(String(32), comment="Who knows them, by its id here. pii=no")
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    subject_index: Mapped[IndexBytes] = mapped_column(
        BlindIndex, comment="Blind index of issuer and sub. pii=no"
    )
    kept: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="What the provider said, sealed by the service; gone once spent. pii=yes"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When they came. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When they must come again. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When they were connected. pii=no")
