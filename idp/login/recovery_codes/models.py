"""The table of recovery codes."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class RecoveryCode(Base):
    """One of a resident's recovery codes: 80 random bits, kept as a keyed hash, good for one sign-in."""

    __tablename__ = "login_recovery_code"
    __table_args__ = ({"sqlite_with_rowid": False},)

    code_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="HMAC of the code and its owner. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose code. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the set was made. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was used. pii=no")
