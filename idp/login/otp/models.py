"""The table of apps that show codes."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


class AuthenticatorApp(Base):
    """One app of a resident that shows time-based codes (RFC 6238). It counts once its first code was typed."""

    __tablename__ = "login_totp"

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose app. pii=no")
    secret: Mapped[SealedBytes] = mapped_column(Sealed, comment="160 bits in Base32, sealed. pii=no")
    name: Mapped[SealedBytes] = mapped_column(Sealed, comment="What the resident calls it, sealed. pii=yes")
    last_step: Mapped[int] = mapped_column(
        BigInteger, comment="Time step of the latest code used; no older one ever works. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was begun. pii=no")
    pending_until: Mapped[int | None] = mapped_column(
        BigInteger, index=True, comment="Until when its first code is waited for; NULL once it works. pii=no"
    )
    used_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it signed in last. pii=no")
