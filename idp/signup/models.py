"""The table of people who want an account and have yet to confirm their address."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class SignUpLink(Base):
    """A link sent by mail to somebody who wants an account. Spent once; only its hash is kept."""

    __tablename__ = "signup_link"

    link_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the link. pii=no"
    )
    email: Mapped[SealedBytes] = mapped_column(Sealed, comment="The address, sealed by the service. pii=yes")
    email_index: Mapped[bytes] = mapped_column(LargeBinary, index=True, comment="Blind index of it. pii=no")
    language: Mapped[str] = mapped_column(String(8), comment="Language of the pages. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was asked for. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When the link ends. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was used. pii=no")
