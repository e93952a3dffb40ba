"""Tables of recovery: cases, the codes that prove something in them, the people a resident trusts."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, String, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class Case(Base):
    """Somebody who wants back in, from the asking to the new password. `resident_id` is NULL when nobody was meant.

    What the browser knows is a handle, bound to that browser; what was proved stands here. A case that stops, or goes
    on in another browser, before anything was proved in the one that asked, is there from then on one of nobody (K23).
    """

    __tablename__ = "recovery_case"
    __table_args__ = (
        CheckConstraint("wish IN ('message', 'letter', 'helper')", name="wish"),
        CheckConstraint("state IN ('asked', 'open', 'done', 'stopped')", name="state"),
        CheckConstraint("state <> 'done' OR resident_id IS NOT NULL", name="resident"),
        CheckConstraint("(ripe_at IS NULL) = (helper_id IS NULL)", name="helped"),
        Index(
            "ix_recovery_case_asked",
            "created_at",
            sqlite_where=text("state = 'asked'"),
            postgresql_where=text("state = 'asked'"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    handle_hash: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="SHA-256 of the handle in the browser. pii=no"
    )
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    return_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, unique=True, comment="SHA-256 of the code to come back with. pii=no"
    )
    name: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="What was typed, sealed by the service; emptied once read. pii=yes"
    )
    wish: Mapped[str] = mapped_column(String(10), comment="message, letter or helper. pii=no")
    flow: Mapped[str] = mapped_column(
        String(43), comment="Handle of the partner's request that waits, of use in that browser only. pii=no"
    )
    state: Mapped[str] = mapped_column(String(10), comment="asked, open, done or stopped. pii=no")
    resident_id: Mapped[str | None] = mapped_column(String(22), index=True, comment="Whose account. pii=no")
    compare_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="Keyed hash of the digits that the trusted person is told. pii=no"
    )
    compare_tries: Mapped[int] = mapped_column(Integer, comment="How often they were typed. pii=no")
    helper_id: Mapped[str | None] = mapped_column(String(22), comment="Who confirmed it. pii=yes")
    mail_at: Mapped[int | None] = mapped_column(BigInteger, comment="When an address was proved. pii=no")
    phone_at: Mapped[int | None] = mapped_column(BigInteger, comment="When a number was proved. pii=no")
    second_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When an enrolled second factor was proved. pii=no"
    )
    letter_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the letter's code was typed. pii=no"
    )
    ripe_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="From when on the trusted person's word counts. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was asked for. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was done or stopped. pii=no")


#: Something was proved, or somebody trusted gave their word: in SQL what `rules.Proved.is_begun` says.
PROVED = or_(
    Case.mail_at.is_not(None),
    Case.phone_at.is_not(None),
    Case.second_at.is_not(None),
    Case.letter_at.is_not(None),
    Case.ripe_at.is_not(None),
)


class Token(Base):
    """A link with a code, or the code of a letter: proves one thing in one case, once. Kept as hashes."""

    __tablename__ = "recovery_token"
    __table_args__ = (
        CheckConstraint("kind IN ('mail', 'phone', 'letter')", name="kind"),
        CheckConstraint("(kind = 'letter') = (contact_id IS NULL)", name="contact"),
        {"sqlite_with_rowid": False},
    )

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the link or letter code. pii=no"
    )
    case_id: Mapped[str] = mapped_column(String(22), index=True, comment="In which case. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="For whom. pii=no")
    kind: Mapped[str] = mapped_column(String(10), comment="mail, phone or letter. pii=no")
    contact_id: Mapped[str | None] = mapped_column(String(22), comment="Where it was sent. pii=no")
    code_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="Keyed hash of the digits sent beside a link, or alone. pii=no"
    )
    tries: Mapped[int] = mapped_column(Integer, comment="How often the digits were typed. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was made. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was used, or replaced by a newer one. pii=no"
    )


class Helper(Base):
    """Somebody whom a resident trusts to say that it is they. `helper_id` is NULL when nobody has that name."""

    __tablename__ = "recovery_helper"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'accepted', 'ended')", name="state"),
        CheckConstraint("state <> 'accepted' OR helper_id IS NOT NULL", name="accepted"),
        CheckConstraint("helper_id <> resident_id", name="another"),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Who trusts. pii=yes")
    helper_id: Mapped[str | None] = mapped_column(String(22), index=True, comment="Whom. pii=yes")
    name: Mapped[SealedBytes] = mapped_column(
        Sealed, comment="The name by which they were asked, sealed for who trusts. pii=yes"
    )
    state: Mapped[str] = mapped_column(String(10), comment="asked, accepted or ended. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When they were asked. pii=no")
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it ended. pii=no")
