"""Table of known devices."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class KnownDevice(Base):
    """A browser in which a resident signed in before. Only the hash of its cookie is kept; residents may share one."""

    __tablename__ = "login_device"
    __table_args__ = ({"sqlite_with_rowid": False},)

    device_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the device's cookie. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(
        String(22), primary_key=True, index=True, comment="Who signed in there. pii=no"
    )
    id: Mapped[str] = mapped_column(
        String(22), unique=True, comment="Name of the device for its resident, and in budgets. pii=no"
    )
    label: Mapped[str] = mapped_column(String(120), comment="Browser and system, in few words. pii=yes")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When they first signed in there. pii=no")
    seen_at: Mapped[int] = mapped_column(BigInteger, comment="When they last signed in there. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When it is forgotten. pii=no")
