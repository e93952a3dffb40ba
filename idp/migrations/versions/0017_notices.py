"""Notices are drafted, reviewed and published; consents may end by themselves; services ask outside a sign-in.

Phase: expand. Rows of before keep what they are committed to: the new columns count only where something stands in
them. The downgrade forgets drafts, open questions and deferrals, and the new columns with what the log says of them.
"""

import sqlalchemy as sa
from alembic import op

from consent.triggers import drop_fix_purpose_ddl, drop_guard_ddl, fix_purpose_ddl, guard_ddl

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_EVENTS = (
    "requested",
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
_RECORD, _CHECK = "consent_record", "ck_consent_record_event"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    _purposes()
    _notices()
    with op.batch_alter_table(_RECORD) as batch:
        batch.add_column(
            sa.Column(
                "valid_until",
                sa.BigInteger(),
                nullable=True,
                comment="when it ends by itself; null: never; pii=yes",
            )
        )
        batch.drop_constraint(_CHECK, type_="check")
        batch.create_check_constraint(_CHECK, _one_of("event", ("requested", "deferred", *_EVENTS[1:])))
    _guard_again()
    _drafts()
    _expiring()
    _questions()
    op.add_column(
        "oidc_grant",
        sa.Column(
            "ends_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the last consent it stands on ends by itself. pii=no",
        ),
    )
    op.add_column(
        "oidc_grant",
        sa.Column(
            "lapses",
            sa.Text(),
            nullable=True,
            comment="JSON list: which claims and purposes end by themselves before it does, and when. pii=no",
        ),
    )
    op.create_index("ix_oidc_grant_subject", "oidc_grant", ["client_id", "subject"])


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.drop_index("ix_oidc_grant_subject", table_name="oidc_grant")
    op.drop_column("oidc_grant", "lapses")
    op.drop_column("oidc_grant", "ends_at")
    op.drop_table("consent_question")
    op.drop_table("consent_expiring")
    op.drop_table("consent_draft")
    for statement in drop_guard_ddl(dialect, _RECORD):
        op.execute(statement)
    op.execute(f"DELETE FROM {_RECORD} WHERE event = 'deferred'")  # noqa: S608
    with op.batch_alter_table(_RECORD) as batch:
        batch.drop_constraint(_CHECK, type_="check")
        batch.create_check_constraint(_CHECK, _one_of("event", _EVENTS))
        batch.drop_column("valid_until")
    for statement in guard_ddl(dialect, _RECORD):
        op.execute(statement)
    for name in ("changes", "processing", "terms"):
        op.drop_column("consent_notice", name)
    for statement in drop_fix_purpose_ddl(dialect):
        op.execute(statement)
    for name in ("valid_for", "purpose_type"):
        op.drop_column("consent_purpose", name)


def _guard_again() -> None:
    """SQLite changes a constraint by making the table anew, which loses its triggers; PostgreSQL keeps them."""
    if op.get_bind().dialect.name == "sqlite":
        for statement in guard_ddl("sqlite", _RECORD):
            op.execute(statement)


def _purposes() -> None:
    dialect = op.get_bind().dialect.name
    op.add_column(
        "consent_purpose",
        sa.Column(
            "purpose_type",
            sa.Text(),
            nullable=True,
            comment="what kind of purpose, such as account; pii=no",
        ),
    )
    # A column with its own check, so that SQLite need not make the table anew.
    op.execute(
        "ALTER TABLE consent_purpose ADD COLUMN valid_for BIGINT "
        "CONSTRAINT ck_consent_purpose_valid CHECK (valid_for > 0)"
    )
    if dialect == "postgresql":
        op.execute(
            "COMMENT ON COLUMN consent_purpose.valid_for IS "
            "'seconds that a consent lasts; null: until it is withdrawn; pii=no'"
        )
    for statement in fix_purpose_ddl(dialect):
        op.execute(statement)


def _notices() -> None:
    comments = {
        "terms": "JSON: data, retention and validity as of this version; null: the purpose's; pii=no",
        "processing": "JSON: who processes where and how (ISO/IEC TS 27560); pii=no",
        "changes": "JSON list: what was found changed since the version before; pii=no",
    }
    for name, comment in comments.items():
        op.add_column("consent_notice", sa.Column(name, sa.Text(), nullable=True, comment=comment))


def _drafts() -> None:
    op.create_table(
        "consent_draft",
        sa.Column("id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("purpose_id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="draft, review, published or discarded; pii=no"
        ),
        sa.Column(
            "revision", sa.Integer(), nullable=False, comment="counts changes, so that none is lost; pii=no"
        ),
        sa.Column("texts", sa.Text(), nullable=False, comment="JSON: words by language; pii=no"),
        sa.Column("terms", sa.Text(), nullable=False, comment="JSON: data, retention and validity; pii=no"),
        sa.Column("processing", sa.Text(), nullable=True, comment="JSON; pii=no"),
        sa.Column(
            "material", sa.Boolean(), nullable=False, comment="declared as another purpose in words; pii=no"
        ),
        sa.Column(
            "findings", sa.Text(), nullable=False, comment="JSON list: what the linter left to review; pii=no"
        ),
        sa.Column("remark", sa.Text(), nullable=True, comment="of the officer who sent it back; pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.CheckConstraint(
            _one_of("state", ("draft", "review", "published", "discarded")), name="ck_consent_draft_state"
        ),
        sa.ForeignKeyConstraint(["purpose_id"], ["consent_purpose.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    is_open = sa.text("state IN ('draft', 'review')")
    op.create_index(
        "uq_consent_draft_open",
        "consent_draft",
        ["purpose_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def _expiring() -> None:
    op.create_table(
        "consent_expiring",
        sa.Column("resident_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("purpose_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("ends_at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.Column(
            "looked_at_next",
            sa.BigInteger(),
            nullable=False,
            comment="time of the reminder, then the end; pii=no",
        ),
        sa.ForeignKeyConstraint(["purpose_id"], ["consent_purpose.id"]),
        sa.PrimaryKeyConstraint("resident_id", "purpose_id"),
    )
    op.create_index("ix_consent_expiring_due", "consent_expiring", ["looked_at_next"])


def _questions() -> None:
    op.create_table(
        "consent_question",
        sa.Column("id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("resident_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("purpose_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("state", sa.Text(), nullable=False, comment="asked, deferred, answered or moot; pii=yes"),
        sa.Column("asked_at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.CheckConstraint(
            _one_of("state", ("asked", "deferred", "answered", "moot")), name="ck_consent_question_state"
        ),
        sa.ForeignKeyConstraint(["purpose_id"], ["consent_purpose.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    is_open = sa.text("state IN ('asked', 'deferred')")
    op.create_index(
        "uq_consent_question_open",
        "consent_question",
        ["resident_id", "purpose_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
