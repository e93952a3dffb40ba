"""The tables of consent. Private to this package; everything but a purpose's end is append-only.

Lists and objects are stored as canonical JSON *text*: the log commits to the very characters in the row.
``uid`` names a row in the log: five bytes of time, then eleven random ones, so that its index grows at
one end however large the table is.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consent import rules

BASES = ("consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests")
EVENTS = (
    "requested",
    "deferred",
    "given",
    "narrowed",
    "refused",
    "renewed",
    "expired",
    "withdrawn",
    "revoked",
    "invalidated",
    "superseded",
    "informed",
)
RELEASE_KINDS = ("id_token", "userinfo", "introspection")
CHANNELS = ("event", "logout", "none")

_Serial = BigInteger().with_variant(Integer, "sqlite")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition of a column that holds one of some words."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """The metadata of the consent package; no foreign key leaves it."""


class Purpose(Base):
    """Why a client processes data (GDPR Art. 5(1)(b)), on which basis (Art. 6(1)), and with which claims."""

    __tablename__ = "consent_purpose"
    __table_args__ = (
        UniqueConstraint("client_id", "key", name="uq_consent_purpose_client_key"),
        CheckConstraint(one_of("basis", BASES), name="ck_consent_purpose_basis"),
        CheckConstraint("retention_for IS NULL OR retention_for > 0", name="ck_consent_purpose_retention"),
        CheckConstraint("(ended_at IS NULL) = (ended_uid IS NULL)", name="ck_consent_purpose_ended"),
        CheckConstraint("valid_for > 0", name="ck_consent_purpose_valid"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    client_id: Mapped[str] = mapped_column(Text, comment="pii=no")
    key: Mapped[str] = mapped_column(Text, comment="the partner's short name for it; pii=no")
    basis: Mapped[str] = mapped_column(Text, comment="GDPR Art. 6(1); pii=no")
    required_claims: Mapped[str] = mapped_column(Text, comment="JSON list of claim names; pii=no")
    optional_claims: Mapped[str] = mapped_column(Text, comment="JSON list of claim names; pii=no")
    minimum_level: Mapped[str] = mapped_column(Text, default="basic", comment="level of identity; pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")
    retention_for: Mapped[int | None] = mapped_column(BigInteger, comment="seconds; pii=no")
    subject_sector: Mapped[str | None] = mapped_column(Text, comment="null: a pairwise sub; pii=no")
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="set once; pii=no")
    ended_uid: Mapped[bytes | None] = mapped_column(
        LargeBinary(16), unique=True, comment="the end's name in the log; pii=no"
    )
    purpose_type: Mapped[str | None] = mapped_column(
        Text, comment="what kind of purpose, such as account; pii=no"
    )
    valid_for: Mapped[int | None] = mapped_column(
        BigInteger, comment="seconds that a consent lasts; null: until it is withdrawn; pii=no"
    )


class Notice(Base):
    """The exact words shown for a purpose, per version and language."""

    __tablename__ = "consent_notice"
    __table_args__ = (
        UniqueConstraint("purpose_id", "version", "language", name="uq_consent_notice_version"),
        CheckConstraint("version >= 1", name="ck_consent_notice_version"),
        CheckConstraint("version > 1 OR material", name="ck_consent_notice_first_is_material"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    purpose_id: Mapped[str] = mapped_column(Text, ForeignKey(Purpose.id), comment="pii=no")
    version: Mapped[int] = mapped_column(Integer, comment="1, 2, …; pii=no")
    language: Mapped[str] = mapped_column(Text, comment="BCP 47; pii=no")
    material: Mapped[bool] = mapped_column(Boolean, comment="residents must choose again; pii=no")
    title: Mapped[str] = mapped_column(Text, comment="pii=no")
    why: Mapped[str] = mapped_column(Text, comment="pii=no")
    retention_text: Mapped[str] = mapped_column(Text, comment="pii=no")
    recipients: Mapped[str] = mapped_column(Text, comment="pii=no")
    body_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True, comment="of the text; pii=no")
    published_at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")
    terms: Mapped[str | None] = mapped_column(
        Text, comment="JSON: data, retention and validity as of this version; null: the purpose's; pii=no"
    )
    processing: Mapped[str | None] = mapped_column(
        Text, comment="JSON: who processes where and how (ISO/IEC TS 27560); pii=no"
    )
    changes: Mapped[str | None] = mapped_column(
        Text, comment="JSON list: what was found changed since the version before; pii=no"
    )


class Record(Base):
    """One event in the history of one resident and one purpose (ISO/IEC TS 27560)."""

    __tablename__ = "consent_record"
    __table_args__ = (
        CheckConstraint(one_of("event", EVENTS), name="ck_consent_record_event"),
        Index("ix_consent_record_resident", "resident_id", "client_id", "id"),
        # For the officer's search: newest first by each thing one may search by, and never a whole table read.
        Index("ix_consent_record_at", "at", "id"),
        Index("ix_consent_record_event", "event", "at", "id"),
        Index("ix_consent_record_client", "client_id", "event", "at", "id"),
        Index("ix_consent_record_purpose", "purpose_id", "event", "at", "id"),
        Index("ix_consent_record_notice", "notice_hash", "event", "at", "id"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    resident_id: Mapped[str] = mapped_column(Text, comment="a pseudonym once the account is erased; pii=yes")
    client_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    purpose_id: Mapped[str] = mapped_column(Text, ForeignKey(Purpose.id), comment="pii=yes")
    event: Mapped[str] = mapped_column(Text, comment="pii=yes")
    claims_offered: Mapped[str] = mapped_column(Text, comment="JSON list of claim names; pii=yes")
    claims_chosen: Mapped[str] = mapped_column(Text, comment="JSON list of claim names; pii=yes")
    notice_hash: Mapped[bytes] = mapped_column(
        LargeBinary(32), ForeignKey(Notice.body_hash), comment="what the person read; pii=no"
    )
    language: Mapped[str] = mapped_column(Text, comment="in which language; pii=yes")
    control: Mapped[str] = mapped_column(Text, comment="which button, form or desk; pii=no")
    authentication: Mapped[str] = mapped_column(Text, comment="JSON: acr, amr, auth_time; pii=yes")
    actor: Mapped[str] = mapped_column(Text, comment="who expressed it: self, …; pii=yes")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")
    valid_until: Mapped[int | None] = mapped_column(
        BigInteger, comment="when it ends by itself; null: never; pii=yes"
    )


class Release(Base):
    """Data actually handed to a client."""

    __tablename__ = "consent_release"
    __table_args__ = (
        CheckConstraint(one_of("kind", RELEASE_KINDS), name="ck_consent_release_kind"),
        Index("ix_consent_release_resident", "resident_id", "client_id", "id"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    resident_id: Mapped[str] = mapped_column(Text, comment="a pseudonym once the account is erased; pii=yes")
    client_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    kind: Mapped[str] = mapped_column(Text, comment="the answer that carried it; pii=no")
    claims: Mapped[str] = mapped_column(Text, comment="JSON list of claim names, never values; pii=yes")
    purpose_ids: Mapped[str] = mapped_column(Text, comment="JSON list; pii=yes")
    authorization_id: Mapped[str] = mapped_column(Text, comment="the grant it happened under; pii=yes")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")


class Lookup(Base):
    """A member of staff opened a resident's file, and why."""

    __tablename__ = "consent_lookup"
    __table_args__ = (
        CheckConstraint("length(reason) > 0", name="ck_consent_lookup_reason"),
        Index("ix_consent_lookup_resident", "resident_id", "id"),
        Index("ix_consent_lookup_staff", "staff_id", "id"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    staff_id: Mapped[str] = mapped_column(Text, comment="pii=yes")
    staff_role: Mapped[str] = mapped_column(Text, comment="pii=no")
    resident_id: Mapped[str] = mapped_column(Text, comment="a pseudonym once the account is erased; pii=yes")
    reason: Mapped[str] = mapped_column(Text, comment="shown to the resident; pii=yes")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")


class Act(Base):
    """Something done in the town that the log must know: to an account, a client, a key, or with the data.

    ``details`` is plain JSON that says nothing about a person beyond what happened: it outlives the account.
    """

    __tablename__ = "consent_act"
    __table_args__ = (
        CheckConstraint("length(kind) BETWEEN 1 AND 40", name="ck_consent_act_kind"),
        Index("ix_consent_act_resident", "resident_id", "id"),
        Index("ix_consent_act_kind", "kind", "id"),
        Index("ix_consent_act_actor", "actor", "id"),
    )

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="its name in the log; pii=no")
    kind: Mapped[str] = mapped_column(Text, comment="a word of the log, such as account_frozen; pii=no")
    actor: Mapped[str] = mapped_column(Text, comment="self, town, or staff: and an id; pii=yes")
    resident_id: Mapped[str | None] = mapped_column(
        Text, comment="whom it concerns, if anyone; a pseudonym once the account is erased; pii=yes"
    )
    client_id: Mapped[str | None] = mapped_column(Text, comment="which service it concerns, if any; pii=no")
    details: Mapped[str] = mapped_column(Text, comment="JSON object; pii=yes")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")


class Confirmation(Base):
    """What one partner was told about one resident, and what it says that it has done; each word of it is an act, too."""

    __tablename__ = "consent_confirmation"
    __table_args__ = (
        CheckConstraint(one_of("event", rules.TOLD_EVENTS), name="ck_consent_confirmation_event"),
        CheckConstraint(one_of("channel", CHANNELS), name="ck_consent_confirmation_channel"),
        CheckConstraint(
            f"outcome IS NULL OR {one_of('outcome', rules.OUTCOMES)}", name="ck_consent_confirmation_outcome"
        ),
        CheckConstraint("(confirmed_at IS NULL) = (outcome IS NULL)", name="ck_consent_confirmation_done"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="ck_consent_confirmation_closed"),
        Index("ix_consent_confirmation_resident", "resident_id", "client_id", "created_at"),
        Index(
            "ix_consent_confirmation_open",
            "due_at",
            "id",
            sqlite_where=text("confirmed_at IS NULL AND closed_at IS NULL"),
            postgresql_where=text("confirmed_at IS NULL AND closed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True, comment="random; txn of what is told; pii=no")
    resident_id: Mapped[str] = mapped_column(Text, comment="a pseudonym once the account is erased; pii=yes")
    client_id: Mapped[str] = mapped_column(Text, comment="who is told; pii=yes")
    event: Mapped[str] = mapped_column(Text, comment="what is told; pii=yes")
    details: Mapped[str] = mapped_column(Text, comment="JSON: names of purposes and data; pii=yes")
    channel: Mapped[str] = mapped_column(Text, comment="event, logout or none: how it is told; pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="pii=yes")
    due_at: Mapped[int] = mapped_column(BigInteger, comment="when it must be confirmed; pii=no")
    told_at: Mapped[int | None] = mapped_column(BigInteger, comment="when the partner took it; pii=yes")
    reminded_at: Mapped[int | None] = mapped_column(BigInteger, comment="when it was sent anew; pii=no")
    confirmed_at: Mapped[int | None] = mapped_column(BigInteger, comment="pii=yes")
    outcome: Mapped[str | None] = mapped_column(Text, comment="deleted, restricted, kept_by_law; pii=yes")
    reason: Mapped[str | None] = mapped_column(Text, comment="in the partner's words; pii=yes")
    closed_at: Mapped[int | None] = mapped_column(BigInteger, comment="by an officer; pii=yes")
    closed_by: Mapped[str | None] = mapped_column(Text, comment="id of the officer; pii=no")
    closed_reason: Mapped[str | None] = mapped_column(Text, comment="in the officer's words; pii=yes")


class LogEntry(Base):
    """What waits for, or stands in, the log. Holds no personal data."""

    __tablename__ = "consent_log_entry"
    __table_args__ = (CheckConstraint("length(kind) BETWEEN 1 AND 40", name="ck_consent_log_entry_kind"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    uid: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True, comment="uid of the row; pii=no")
    kind: Mapped[str] = mapped_column(Text, comment="pii=no")
    hour: Mapped[int] = mapped_column(BigInteger, comment="Unix seconds at the start of the hour; pii=no")
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32), comment="keyed, unreadable alone; pii=no")
    ref_table: Mapped[str] = mapped_column(Text, comment="table of the row; pii=no")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")


class LogLeaf(Base):
    """The place of an entry in the tree."""

    __tablename__ = "consent_log_leaf"

    leaf_index: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="0, 1, …; pii=no"
    )
    entry_id: Mapped[int] = mapped_column(BigInteger, unique=True, comment="pii=no")
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary(32), comment="RFC 9162 §2.1.1; pii=no")


class LogCheckpoint(Base):
    """A signed tree head (C2SP tlog-checkpoint), and where the sequencer may go on."""

    __tablename__ = "consent_log_checkpoint"

    tree_size: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="pii=no"
    )
    root: Mapped[bytes] = mapped_column(LargeBinary(32), comment="root hash of the tree; pii=no")
    note: Mapped[str] = mapped_column(Text, comment="the signed note; pii=no")
    frontier: Mapped[bytes] = mapped_column(
        LargeBinary, comment="hashes of its perfect subtrees, largest first; pii=no"
    )
    settled_id: Mapped[int] = mapped_column(
        BigInteger, comment="every entry up to this id has its leaf; pii=no"
    )
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")


class LogNode(Base):
    """The root over one full tile of the level below: level 1 spans 256 leaves, level 2 65,536 (C2SP tlog-tiles)."""

    __tablename__ = "consent_log_node"

    level: Mapped[int] = mapped_column(
        Integer, primary_key=True, autoincrement=False, comment="1, 2, …; pii=no"
    )
    node_index: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="0, 1, … within its level; pii=no"
    )
    node_hash: Mapped[bytes] = mapped_column(LargeBinary(32), comment="RFC 9162 §2.1.1; pii=no")


class LogCosignature(Base):
    """What a witness said of a checkpoint (C2SP tlog-cosignature): one line of its note."""

    __tablename__ = "consent_log_cosignature"
    __table_args__ = (Index("ix_consent_log_cosignature_size", "tree_size", "name"),)

    id: Mapped[int] = mapped_column(_Serial, primary_key=True, autoincrement=True, comment="pii=no")
    tree_size: Mapped[int] = mapped_column(BigInteger, comment="of which checkpoint; pii=no")
    name: Mapped[str] = mapped_column(Text, comment="the witness's, as in its key; pii=no")
    line: Mapped[str] = mapped_column(Text, comment="the signature line, without its end; pii=no")
    at: Mapped[int] = mapped_column(BigInteger, comment="pii=no")


def table(model: type[Base]) -> Table:
    """The Core table of ``model``, for statements built once at module level."""
    core = model.__table__
    assert isinstance(core, Table)
    return core
