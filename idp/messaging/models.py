"""The outbox: what has to be told to whom, sealed until it is sent and emptied afterwards."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class Message(Base):
    """One message. `content` is NULL once it was sent or given up."""

    __tablename__ = "messaging_outbox"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'expired', 'dead')", name="state"),
        Index(
            "ix_messaging_outbox_due",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    name: Mapped[str] = mapped_column(String(40), comment="Which message, a folder of texts. pii=no")
    state: Mapped[str] = mapped_column(String(10), comment="waiting, sent, expired or dead. pii=no")
    content: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="Recipient, subject and text, sealed by the service. pii=yes"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was caused. pii=no")
    due_at: Mapped[int] = mapped_column(BigInteger, comment="When it is tried next. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, comment="After this it is not sent any more. pii=no")
    attempts: Mapped[int] = mapped_column(Integer, comment="How often it was tried. pii=no")
    finished_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was sent or given up. pii=no"
    )
