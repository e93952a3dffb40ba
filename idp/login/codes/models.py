"""Tables of codes that are sent, and of what residents want of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class SentCode(Base):
    """The latest code that was sent in an attempt by one channel, or would have been: a name nobody has has a row, too."""

    __tablename__ = "login_sent_code"
    __table_args__ = (
        CheckConstraint("channel IN ('email', 'sms')", name="channel"),
        CheckConstraint("tries >= 0", name="tries"),
        {"sqlite_with_rowid": False},
    )

    attempt_hash: Mapped[bytes] = mapped_column(
        ForeignKey("login_attempt.id_hash", ondelete="CASCADE"),
        primary_key=True,
        comment="In which attempt, and so in which browser. pii=no",
    )
    channel: Mapped[str] = mapped_column(String(5), primary_key=True, comment="email or sms. pii=no")
    resident_id: Mapped[str | None] = mapped_column(
        String(22), index=True, comment="To whom it was sent; NULL: to nobody. pii=no"
    )
    code_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="HMAC of the code, the attempt and the channel. pii=no"
    )
    link_hash: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="SHA-256 of the secret in the link. pii=no"
    )
    name_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="Blind index of the name that was typed, for budgets. pii=no"
    )
    tries: Mapped[int] = mapped_column(Integer, comment="How often a code was typed. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was sent. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was used, or had expired. pii=no"
    )


class CodeChoice(Base):
    """What a resident wants of codes by one channel. Without a row: a code can follow the password, and no more."""

    __tablename__ = "login_code_choice"
    __table_args__ = (
        CheckConstraint("channel IN ('email', 'sms')", name="channel"),
        CheckConstraint("NOT (alone AND always)", name="one_use"),
    )

    resident_id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Whose choice. pii=no")
    channel: Mapped[str] = mapped_column(String(5), primary_key=True, comment="email or sms. pii=no")
    alone: Mapped[bool] = mapped_column(Boolean, comment="A code is enough to sign in. pii=no")
    always: Mapped[bool] = mapped_column(Boolean, comment="A code is asked for after the password. pii=no")
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="When it was chosen. pii=no")
