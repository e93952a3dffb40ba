"""The table of changes to contact points that are not done yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class Change(Base):
    """One change: a new contact point that is yet to be confirmed, or a change of the sign-in name that waits.

    `due_at` is set for what waits: at that instant it happens, unless the former address stopped it.
    """

    __tablename__ = "contacts_change"
    __table_args__ = (
        CheckConstraint("what IN ('add', 'remove', 'sign_in')", name="what"),
        CheckConstraint("(what = 'add') = (value IS NOT NULL)", name="value"),
        CheckConstraint("(what = 'add') = (due_at IS NULL)", name="due"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        CheckConstraint("outcome IN ('done', 'stopped', 'replaced')", name="outcome"),
        Index(
            "uq_contacts_change_waiting",
            "resident_id",
            unique=True,
            sqlite_where=text("due_at IS NOT NULL AND ended_at IS NULL"),
            postgresql_where=text("due_at IS NOT NULL AND ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose contact point. pii=no")
    what: Mapped[str] = mapped_column(String(10), comment="add, remove or sign_in. pii=no")
    kind: Mapped[str] = mapped_column(String(10), comment="email or phone. pii=no")
    contact_id: Mapped[str | None] = mapped_column(
        String(22), comment="The contact point to be removed, or to sign in with. pii=no"
    )
    value: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="The new address or number, sealed for its resident. pii=yes"
    )
    link_hash: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="SHA-256 of the link that was sent. pii=no"
    )
    code_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="Keyed hash of the code that was sent. pii=no"
    )
    tries: Mapped[int] = mapped_column(Integer, comment="How often a code was typed. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was asked for. pii=no")
    due_at: Mapped[int | None] = mapped_column(BigInteger, index=True, comment="When it happens. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it ended. pii=no")
    outcome: Mapped[str | None] = mapped_column(String(10), comment="done, stopped or replaced. pii=no")
