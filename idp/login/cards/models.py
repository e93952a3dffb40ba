"""Tables of cards and of the codes on paper lists."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Card(Base):
    """A printed card of a resident, who has at most one that works."""

    __tablename__ = "login_card"
    __table_args__ = (
        Index(
            "uq_login_card_live",
            "resident_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose card. pii=no")
    number_index: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="Blind index of the number on it. pii=no"
    )
    ending: Mapped[str] = mapped_column(
        String(4), comment="Last four of the number, to tell one from another. pii=no"
    )
    pin_verifier: Mapped[str] = mapped_column(String(200), comment="Encoded Argon2id hash of the PIN. pii=no")
    issued_at: Mapped[int] = mapped_column(BigInteger, comment="When it was issued. pii=no")
    used_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it signed in last. pii=no")
    revoked_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was revoked or replaced. pii=no"
    )


class PaperCode(Base):
    """One code of a card's paper list. It works once, when its turn comes."""

    __tablename__ = "login_paper_code"
    __table_args__ = (CheckConstraint("place > 0", name="place"),)

    card_id: Mapped[str] = mapped_column(
        ForeignKey("login_card.id", ondelete="CASCADE"), primary_key=True, comment="Card it goes with. pii=no"
    )
    place: Mapped[int] = mapped_column(Integer, primary_key=True, comment="Its number on the list. pii=no")
    verifier: Mapped[str] = mapped_column(String(200), comment="Encoded Argon2id hash of the code. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was used. pii=no")
