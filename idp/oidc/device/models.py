"""The table of devices that ask (RFC 8628)."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class DeviceRequest(Base):
    """A device that asks for tokens, and what a resident said to it.

    Neither code is kept: the device code is a hash, the user code a blind index, and what is shown of it is made
    anew from the id.
    """

    __tablename__ = "oidc_device_request"
    __table_args__ = (
        CheckConstraint(
            "code_hash IS NULL OR (decided_at IS NOT NULL AND run IS NOT NULL)", name="code_hash"
        ),
        CheckConstraint("(run IS NULL) = (resident_id IS NULL)", name="run"),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    device_code_hash: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="SHA-256 of the device code. pii=no"
    )
    user_code_index: Mapped[bytes] = mapped_column(
        LargeBinary, unique=True, comment="Blind index of the user code. pii=no"
    )
    client_id: Mapped[str] = mapped_column(String(64), comment="Which client the device runs. pii=no")
    request: Mapped[str] = mapped_column(Text, comment="The validated request as JSON. pii=no")
    poll_every: Mapped[int] = mapped_column(Integer, comment="Seconds between two polls. pii=no")
    polls_from: Mapped[int] = mapped_column(BigInteger, comment="Before that a poll comes too soon. pii=no")
    resident_id: Mapped[str | None] = mapped_column(
        String(22), comment="Who said that it is their device; the code is theirs from then on. pii=no"
    )
    run: Mapped[str | None] = mapped_column(
        String(22), comment="In which run through the pages they said so. pii=no"
    )
    code_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="Which authorization it became; NULL unless it was allowed. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the device asked. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When both codes end. pii=no")
    decided_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the resident allowed or refused it. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the device got its tokens, or its time was over. pii=no"
    )
