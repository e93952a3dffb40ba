"""Tables of guessing budgets."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Budget(Base):
    """How many guesses were made within one window, per source, name and source, device or town."""

    __tablename__ = "login_budget"
    __table_args__ = (CheckConstraint("used >= 0", name="used"),)

    bucket: Mapped[str] = mapped_column(
        String(90), primary_key=True, comment="What is counted, hashed. pii=no"
    )
    window_at: Mapped[int] = mapped_column(BigInteger, comment="Start of the window. pii=no")
    used: Mapped[int] = mapped_column(Integer, comment="Guesses in the window. pii=no")


class FailureStreak(Base):
    """The consecutive failures of one authenticator, or of a name that has none; a right answer removes the row."""

    __tablename__ = "login_streak"
    __table_args__ = (CheckConstraint("failures > 0", name="failures"),)

    bucket: Mapped[str] = mapped_column(
        String(100), primary_key=True, comment="Which authenticator, from where, hashed. pii=no"
    )
    failures: Mapped[int] = mapped_column(Integer, comment="Guesses since the last right one. pii=no")
    waits_until: Mapped[int] = mapped_column(BigInteger, comment="Before that no guess is looked at. pii=no")
    expires_at: Mapped[int | None] = mapped_column(
        BigInteger,
        index=True,
        comment="When a count that belongs to nobody is forgotten; NULL: never. pii=no",
    )
