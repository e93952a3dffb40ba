"""The table of accounts that are about to end, or have ended."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Closure(Base):
    """One announced end of one account. At most one is open per resident."""

    __tablename__ = "closing_closure"
    __table_args__ = (
        CheckConstraint("cause IN ('asked', 'dormant')", name="cause"),
        CheckConstraint("state IN ('announced', 'kept', 'closed')", name="state"),
        CheckConstraint("(state = 'announced') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("begun_at < reminds_at AND reminds_at < closes_at", name="times"),
        Index(
            "uq_closing_closure_open",
            "resident_id",
            unique=True,
            sqlite_where=text("state = 'announced'"),
            postgresql_where=text("state = 'announced'"),
        ),
        Index(
            "ix_closing_closure_due",
            "reminds_at",
            sqlite_where=text("state = 'announced'"),
            postgresql_where=text("state = 'announced'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose account. pii=no")
    cause: Mapped[str] = mapped_column(String(10), comment="asked or dormant. pii=no")
    state: Mapped[str] = mapped_column(String(10), comment="announced, kept or closed. pii=no")
    begun_at: Mapped[int] = mapped_column(BigInteger, comment="When it was announced. pii=no")
    reminds_at: Mapped[int] = mapped_column(BigInteger, comment="When its resident is told again. pii=no")
    reminded_at: Mapped[int | None] = mapped_column(BigInteger, comment="When they were. pii=no")
    closes_at: Mapped[int] = mapped_column(BigInteger, comment="When the account ends. pii=no")
    ended_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was kept or closed for good. pii=no"
    )
