"""Tables of the staff app."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from idp.db import NAMING
from keys.columns import Sealed, SealedBytes


class Base(DeclarativeBase):
    """Base of every table of `admin`."""

    metadata = MetaData(naming_convention=NAMING)


class Staff(Base):
    """A clerk, officer or operator. Staff accounts are apart from residents' accounts."""

    __tablename__ = "admin_staff"
    __table_args__ = (
        CheckConstraint("role IN ('clerk', 'officer', 'operator')", name="role"),
        CheckConstraint("code_failures >= 0", name="code_failures"),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    username: Mapped[str] = mapped_column(
        String(40), unique=True, comment="Work name they sign in with. pii=yes"
    )
    role: Mapped[str] = mapped_column(String(10), comment="clerk, officer or operator. pii=no")
    password_hash: Mapped[str] = mapped_column(String(200), comment="Encoded Argon2id hash. pii=no")
    totp_secret: Mapped[SealedBytes] = mapped_column(Sealed, comment="160-bit TOTP seed, sealed. pii=no")
    totp_step: Mapped[int] = mapped_column(BigInteger, comment="Last time step used; later ones only. pii=no")
    code_failures: Mapped[int] = mapped_column(
        Integer, comment="Codes tried since one was right, each counted before it is looked at. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the account was made. pii=no")
    disabled_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was switched off. pii=no")


class StaffSession(Base):
    """A member of staff signed in in one browser. Only the hash of its cookie is kept."""

    __tablename__ = "admin_session"

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the cookie. pii=no"
    )
    staff_id: Mapped[str] = mapped_column(ForeignKey("admin_staff.id"), index=True, comment="Who. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it began. pii=no")
    seen_at: Mapped[int] = mapped_column(BigInteger, comment="When it was used last, to the minute. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it ends in any case. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was ended. pii=no")


class OpenFile(Base):
    """A resident's file that one officer opened in one session, for a reason and a while.

    The look-up itself stands in the log of `consent`; this row only lets that session read on.
    """

    __tablename__ = "admin_open_file"

    reference: Mapped[str] = mapped_column(
        String(22), primary_key=True, comment="Random name of the file in addresses. pii=no"
    )
    session_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="The staff session that opened it; no other may read. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), comment="Whose file. pii=yes")
    reason: Mapped[str] = mapped_column(String(500), comment="Why it was opened. pii=yes")
    opened_at: Mapped[int] = mapped_column(BigInteger, comment="When it was opened. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When a new reason must be given. pii=no"
    )
