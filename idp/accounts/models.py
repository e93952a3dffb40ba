"""Tables of residents. What says something about a person is sealed under that resident's own data key."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class Resident(Base):
    """A person with an account. Without `data_key` nothing of theirs can be read any more: erased."""

    __tablename__ = "accounts_resident"
    __table_args__ = (CheckConstraint("state IN ('active', 'frozen', 'closed')", name="state"),)

    id: Mapped[str] = mapped_column(
        String(22), primary_key=True, comment="Random id, never shown to partners. pii=no"
    )
    state: Mapped[str] = mapped_column(String(10), comment="active, frozen or closed. pii=no")
    data_key: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="The resident's data key, wrapped; NULL once destroyed. pii=no"
    )
    username_index: Mapped[bytes | None] = mapped_column(
        LargeBinary, unique=True, comment="Blind index of the chosen user name. pii=no"
    )
    language: Mapped[str] = mapped_column(String(8), comment="Language of messages. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the account began. pii=no")
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="When an attribute changed last. pii=no")
    signed_in_at: Mapped[int | None] = mapped_column(
        BigInteger, index=True, comment="When they signed in last. pii=no"
    )


class Attribute(Base):
    """One fact about a resident, as it may be released: its value, where it comes from, since when it is verified."""

    __tablename__ = "accounts_attribute"
    __table_args__ = ({"sqlite_with_rowid": False},)

    resident_id: Mapped[str] = mapped_column(
        ForeignKey("accounts_resident.id"), primary_key=True, comment="Whose attribute. pii=no"
    )
    name: Mapped[str] = mapped_column(
        String(40), primary_key=True, comment="Claim name, such as given_name. pii=no"
    )
    value: Mapped[SealedBytes] = mapped_column(Sealed, comment="JSON value, sealed. pii=yes")
    source: Mapped[str] = mapped_column(String(20), comment="self, mail, desk or register. pii=no")
    verified_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was verified, if it was. pii=no"
    )
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="When it was set. pii=no")


class ContactPoint(Base):
    """An address at which a resident can be reached. At most one resident signs in with it."""

    __tablename__ = "accounts_contact_point"
    __table_args__ = (
        CheckConstraint("kind IN ('email', 'phone')", name="kind"),
        # The kind comes last: SQLite would rather look through all of a kind than through a resident's own.
        Index("ix_accounts_contact_point_value", "value_index", "kind"),
        Index(
            "uq_accounts_contact_point_signs_in",
            "value_index",
            "kind",
            unique=True,
            sqlite_where=text("signs_in"),
            postgresql_where=text("signs_in"),
        ),
        Index(
            "uq_accounts_contact_point_main",
            "resident_id",
            "kind",
            unique=True,
            sqlite_where=text("is_main"),
            postgresql_where=text("is_main"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(
        ForeignKey("accounts_resident.id"), index=True, comment="Who is reached. pii=no"
    )
    kind: Mapped[str] = mapped_column(String(10), comment="email or phone. pii=no")
    value: Mapped[SealedBytes] = mapped_column(Sealed, comment="The address, sealed. pii=yes")
    value_index: Mapped[bytes] = mapped_column(LargeBinary, comment="Blind index of the normal form. pii=no")
    signs_in: Mapped[bool] = mapped_column(Boolean, comment="Whether it works as a user name. pii=no")
    is_main: Mapped[bool] = mapped_column(
        Boolean, server_default=false(), comment="Whether services are told this one of its kind. pii=no"
    )
    verified_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was confirmed. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was given. pii=no")


class FormerContactPoint(Base):
    """A contact point that was removed, for as long as whoever reads there may say that it was not they.

    Nobody is reached here, signs in or gets back in with it: it is only put back.
    """

    __tablename__ = "accounts_former_contact_point"

    id: Mapped[str] = mapped_column(
        String(22), primary_key=True, comment="The id that the contact point had. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(
        ForeignKey("accounts_resident.id"), index=True, comment="Who was reached. pii=no"
    )
    kind: Mapped[str] = mapped_column(String(10), comment="email or phone. pii=no")
    value: Mapped[SealedBytes] = mapped_column(Sealed, comment="The address, sealed. pii=yes")
    signs_in: Mapped[bool] = mapped_column(Boolean, comment="Whether it worked as a user name. pii=no")
    is_main: Mapped[bool] = mapped_column(Boolean, comment="Whether services were told this one. pii=no")
    verified_at: Mapped[int] = mapped_column(BigInteger, comment="When it had been confirmed. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it had been given. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it comes back no more. pii=no"
    )


class NotMeLink(Base):
    """A "This wasn't me" link of a notice, for one reader: it freezes the account, once. Only its hash is kept."""

    __tablename__ = "accounts_not_me_link"
    __table_args__ = ({"sqlite_with_rowid": False},)

    link_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the link. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose account. pii=no")
    contact_id: Mapped[str | None] = mapped_column(
        String(22), comment="Contact point that it was sent to; NULL: by post, or not known. pii=no"
    )
    since_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When that contact point had been confirmed; NULL as before. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the notice was written. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When the link ends. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was used. pii=no")
