"""The outbox: what has to be told to whom, sealed until it is sent and emptied afterwards; limits; printed batches."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import BlindIndex, IndexBytes, Sealed, SealedBytes


class Message(Base):
    """One message on one channel. `content` is NULL once it was sent or is worth nothing any more."""

    __tablename__ = "messaging_outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'sent', 'expired', 'dead', 'withheld', 'dropped')", name="state"
        ),
        CheckConstraint("channel IN ('mail', 'sms', 'letter')", name="channel"),
        CheckConstraint("kind IN ('code', 'notice', 'reminder')", name="kind"),
        CheckConstraint("channel = 'letter' OR batch IS NULL", name="batch"),
        Index(
            "ix_messaging_outbox_due",
            "channel",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_messaging_outbox_resident_id", "resident_id"),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    name: Mapped[str] = mapped_column(String(40), comment="Which message, a folder of texts. pii=no")
    channel: Mapped[str] = mapped_column(String(6), comment="mail, sms or letter. pii=no")
    kind: Mapped[str] = mapped_column(String(8), comment="code, notice or reminder. pii=no")
    language: Mapped[str] = mapped_column(String(8), comment="Language of the reader. pii=no")
    state: Mapped[str] = mapped_column(
        String(10), comment="waiting, sent, expired, dead, withheld or dropped. pii=no"
    )
    content: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="Recipient and facts of the text, sealed by the service. pii=yes"
    )
    resident_id: Mapped[str | None] = mapped_column(
        String(22), comment="Whom it concerns, where that is a resident. pii=no"
    )
    recipient_index: Mapped[IndexBytes | None] = mapped_column(
        BlindIndex, comment="Blind index of the address, for limits. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was caused. pii=no")
    due_at: Mapped[int] = mapped_column(BigInteger, comment="When it is tried next. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, comment="After this it is not sent any more. pii=no")
    attempts: Mapped[int] = mapped_column(Integer, comment="How often it was claimed to be sent. pii=no")
    refusals: Mapped[int] = mapped_column(
        Integer, comment="How often it was turned down for the time being. pii=no"
    )
    trouble: Mapped[str] = mapped_column(
        String(60), comment="Why it was not sent last time, without any address. pii=no"
    )
    reference: Mapped[str | None] = mapped_column(
        String(64), comment="What the gateway calls it, to ask there. pii=no"
    )
    batch: Mapped[int | None] = mapped_column(
        BigInteger, comment="The printed batch that a letter is in. pii=no"
    )
    finished_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was sent or given up. pii=no"
    )


class Allowance(Base):
    """How many codes an address got since an instant; the address stands there as a keyed digest."""

    __tablename__ = "messaging_allowance"
    __table_args__ = ({"sqlite_with_rowid": False},)

    bucket_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="Keyed digest of limit, channel and address. pii=no"
    )
    since_at: Mapped[int] = mapped_column(BigInteger, comment="When the counting began. pii=no")
    used: Mapped[int] = mapped_column(Integer, comment="Messages since then. pii=no")


class Batch(Base):
    """One run of letters for the printer. Without `finished_at` it is made again, with the same letters."""

    __tablename__ = "messaging_batch"

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
        comment="Runs on by one; in the file's name. pii=no",
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was begun. pii=no")
    finished_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When its letters were marked as sent. pii=no"
    )
    letters: Mapped[int] = mapped_column(Integer, comment="How many letters it holds. pii=no")
