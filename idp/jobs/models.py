"""Tables of jobs: who holds which, and versions of what processes keep in memory."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


class Lease(Base):
    """The right to do one job until an instant."""

    __tablename__ = "jobs_lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True, comment="Which job. pii=no")
    holder: Mapped[str] = mapped_column(String(22), comment="Which process, by a random name. pii=no")
    until_at: Mapped[int] = mapped_column(BigInteger, comment="When the right ends. pii=no")


class Stamp(Base):
    """A number that rises whenever something cached has changed."""

    __tablename__ = "jobs_stamp"

    name: Mapped[str] = mapped_column(String(40), primary_key=True, comment="What is cached. pii=no")
    version: Mapped[int] = mapped_column(BigInteger, comment="Rises with every change. pii=no")
