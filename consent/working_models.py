"""Tables of consent that may change, because nothing rests on them: drafts, questions that wait, ends to look at.

What becomes of them stands in :mod:`consent.models`, append-only. Private to this package, too.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import Base, Purpose, one_of

QUESTION_STATES = ("asked", "deferred", "answered", "moot")
DRAFT_STATES = ("draft", "review", "published", "discarded")


class Draft(Base):
    """A notice in the making. It may be changed until it is published, and then stands as a notice."""

    __tablename__ = "consent_draft"
    __table_args__ = (
        CheckConstraint(one_of("state", DRAFT_STATES), name="ck_consent_draft_state"),
        Index(
            "uq_consent_draft_open",
            "purpose_id",
            unique=True,
            sqlite_where=text("state IN ('draft', 'review')"),
            postgresql_where=text("state IN ('draft', 'review')"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, comment="pii=no")
    purpose_id: Mapped[str] = mapped_column(Text, ForeignKey(Purpose.id), comment="pii=no")
    state: Mapped[str] = mapped_column(Text, comment="draft, review, published or discarded; pii=no")
    revision: Mapped[int] = mapped_column(Integer, comment="counts changes, so that none is lost; pii=no")
    texts: Mapped[str] = mapped_column(Text, comment="JSON: words by language; pii=no")
    terms: Mapped[str] = mapped_column(Text, comment="JSON: data, retention and validity; pii=no")
    processing: Mapped[str | None] = mapped_column(Text, comment="JSON; pii=no")
    material: Mapped[bool] = mapped_column(Boolean, comment="declared as another purpose in words; pii=no")
    findings: Mapped[str] = mapped_column(Text, comment="JSON list: what the linter left to review; pii=no")
    remark: Mapped[str | None] = mapped_column(Text, comment="of the officer who sent it back; pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")


class Expiring(Base):
    """A consent that ends by itself: what the job has to look at. The record says whether it still stands."""

    __tablename__ = "consent_expiring"
    __table_args__ = (Index("ix_consent_expiring_due", "looked_at_next"),)

    resident_id: Mapped[str] = mapped_column(Text, primary_key=True, comment="pii=yes")
    purpose_id: Mapped[str] = mapped_column(Text, ForeignKey(Purpose.id), primary_key=True, comment="pii=yes")
    client_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    ends_at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")
    looked_at_next: Mapped[int] = mapped_column(
        BigInteger, comment="time of the reminder, then the end; pii=no"
    )


class Question(Base):
    """A service asked a resident outside a sign-in, and waits. At most one waits per resident and purpose."""

    __tablename__ = "consent_question"
    __table_args__ = (
        CheckConstraint(one_of("state", QUESTION_STATES), name="ck_consent_question_state"),
        Index(
            "uq_consent_question_open",
            "resident_id",
            "purpose_id",
            unique=True,
            sqlite_where=text("state IN ('asked', 'deferred')"),
            postgresql_where=text("state IN ('asked', 'deferred')"),
        ),
        Index("ix_consent_question_resident", "resident_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, comment="pii=no")
    resident_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    client_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    purpose_id: Mapped[str] = mapped_column(Text, ForeignKey(Purpose.id), comment="pii=yes")
    state: Mapped[str] = mapped_column(Text, comment="asked, deferred, answered or moot; pii=yes")
    asked_at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")
