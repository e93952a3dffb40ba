"""Tables of sign-in: passwords, sessions, guessing budgets."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Password(Base):
    """A resident's password, as Argon2id over a keyed pre-hash."""

    __tablename__ = "login_password"

    resident_id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Whose password. pii=no")
    hash: Mapped[str] = mapped_column(String(200), comment="Encoded Argon2id hash. pii=no")
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="When it was set. pii=no")


class BrowserSession(Base):
    """A resident signed in in one browser. Only the hash of its cookie is kept."""

    __tablename__ = "login_session"
    __table_args__ = ({"sqlite_with_rowid": False},)

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the cookie. pii=no"
    )
    sid: Mapped[str] = mapped_column(
        String(22), unique=True, comment="Public name of the session (sid). pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Who is signed in. pii=no")
    authenticated_at: Mapped[int] = mapped_column(
        BigInteger, comment="When they proved it last (auth_time). pii=no"
    )
    acr: Mapped[str] = mapped_column(String(40), comment="Level proved in this session. pii=no")
    amr: Mapped[str] = mapped_column(String(80), comment="Methods used, space-separated (RFC 8176). pii=no")
    device: Mapped[str] = mapped_column(String(120), comment="Browser and system, in few words. pii=yes")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the session began. pii=no")
    seen_at: Mapped[int] = mapped_column(BigInteger, comment="When it was used last, to the minute. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it ends in any case. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was ended. pii=no")


class Budget(Base):
    """How many guesses were made within one window, per account, source or town."""

    __tablename__ = "login_budget"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    bucket: Mapped[str] = mapped_column(
        String(90), primary_key=True, comment="What is counted, hashed. pii=no"
    )
    window_at: Mapped[int] = mapped_column(BigInteger, comment="Start of the window. pii=no")
    used: Mapped[int] = mapped_column(Integer, comment="Guesses in the window. pii=no")
