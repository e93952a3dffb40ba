"""The tables of requests and of what happened to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes

RIGHTS = ("access", "rectification", "erasure", "restriction", "portability", "objection")
#: The states of a request: the words of DPV's RequestStatus.
OPEN = (
    "initiated",
    "acknowledged",
    "accepted",
    "requires_action",
    "required_action_performed",
    "action_delayed",
)
ENDED = ("fulfilled", "rejected", "unfulfilled")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Request(Base):
    """One request. What was written is sealed for its resident, so that it is unreadable once they are erased."""

    __tablename__ = "rights_request"
    __table_args__ = (
        CheckConstraint(_one_of("kind", RIGHTS), name="kind"),
        CheckConstraint(_one_of("state", OPEN + ENDED), name="state"),
        CheckConstraint(f"({_one_of('state', ENDED)}) = (ended_at IS NOT NULL)", name="ended"),
        Index(
            "uq_rights_request_open",
            "resident_id",
            "kind",
            "about",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_rights_request_due",
            "due_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    reference: Mapped[str] = mapped_column(
        String(9), unique=True, comment="What resident and town call it. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose request. pii=no")
    kind: Mapped[str] = mapped_column(String(16), comment="Which right is used. pii=no")
    about: Mapped[str] = mapped_column(
        String(64), comment="A client, or the name of an attribute; empty: everything. pii=no"
    )
    state: Mapped[str] = mapped_column(String(26), comment="A state of DPV's RequestStatus. pii=no")
    wish: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="What was asked, as JSON, sealed. pii=yes"
    )
    received_at: Mapped[int] = mapped_column(BigInteger, comment="When it came in. pii=no")
    due_at: Mapped[int] = mapped_column(BigInteger, comment="When the last day for an answer is over. pii=no")
    extended_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the time was made longer, once. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, index=True, comment="When it was over. pii=no")


class Step(Base):
    """One thing that happened to a request."""

    __tablename__ = "rights_step"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
        comment="Runs on by one. pii=no",
    )
    request_id: Mapped[str] = mapped_column(
        ForeignKey("rights_request.id", ondelete="CASCADE"), index=True, comment="Of which request. pii=no"
    )
    state: Mapped[str] = mapped_column(String(26), comment="What the request became. pii=no")
    actor: Mapped[str] = mapped_column(String(40), comment="self, town, or staff: and an id. pii=yes")
    said: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="What was said to the other side, sealed for the resident. pii=yes"
    )
    at: Mapped[int] = mapped_column(BigInteger, comment="When. pii=no")
