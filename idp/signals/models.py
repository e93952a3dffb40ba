"""The outbox of signals: what is to be told to which client about whom, until it has taken it."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Delivery(Base):
    """One signal to one client. What it says is written anew for each try, by what the client knows the resident."""

    __tablename__ = "signals_delivery"
    __table_args__ = (
        CheckConstraint("kind IN ('logout', 'event')", name="kind"),
        CheckConstraint("(kind = 'event') = (event IS NOT NULL)", name="event"),
        CheckConstraint("state IN ('waiting', 'sent', 'dead', 'dropped')", name="state"),
        CheckConstraint("(state = 'waiting') = (finished_at IS NULL)", name="finished"),
        Index(
            "ix_signals_delivery_due",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    kind: Mapped[str] = mapped_column(String(10), comment="How it is told: logout or event. pii=no")
    client_id: Mapped[str] = mapped_column(String(64), comment="Who is told. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), comment="Whom it concerns. pii=no")
    subject: Mapped[str | None] = mapped_column(
        String(255), comment="The sub that the client was told; NULL: the one of its sector. pii=yes"
    )
    sid: Mapped[str] = mapped_column(
        String(22), comment="Public name of the session that ended; empty for an event. pii=no"
    )
    state: Mapped[str] = mapped_column(String(10), comment="waiting, sent, dead or dropped. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was put in hand. pii=no")
    due_at: Mapped[int] = mapped_column(BigInteger, comment="When it is tried next. pii=no")
    attempts: Mapped[int] = mapped_column(Integer, comment="How often it was claimed to be sent. pii=no")
    refusals: Mapped[int] = mapped_column(Integer, comment="How often it failed since it was begun. pii=no")
    trouble: Mapped[str] = mapped_column(String(60), comment="Why it was not taken last time. pii=no")
    finished_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was taken or given up. pii=no"
    )
    event: Mapped[str | None] = mapped_column(
        Text, comment="URI of the event; NULL for a logout token. pii=no"
    )
    payload: Mapped[str | None] = mapped_column(
        Text, comment="What the event says, as JSON: names of purposes and data, never values. pii=yes"
    )
    matter_id: Mapped[str | None] = mapped_column(
        String(22), comment="What is to be confirmed, if anything: the txn of the event. pii=no"
    )
