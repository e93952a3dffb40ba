"""Requests under the rights of GDPR Art. 15 to 21, and what they stop.

Phase: expand. The downgrade forgets the requests; what was done for them stays in the log. Services that were stopped
are no longer stopped then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_RIGHTS = "'access', 'rectification', 'erasure', 'restriction', 'portability', 'objection'"
_OPEN = "'initiated', 'acknowledged', 'accepted', 'requires_action', 'required_action_performed', 'action_delayed'"
_ENDED = "'fulfilled', 'rejected', 'unfulfilled'"


def upgrade() -> None:
    _requests()
    _steps()
    op.create_table(
        "oidc_hold",
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who stopped it. pii=no"),
        sa.Column(
            "client_id",
            sa.String(length=64),
            nullable=False,
            comment="Which client; empty: every one. pii=no",
        ),
        sa.Column(
            "cause", sa.String(length=12), nullable=False, comment="restriction, objection or pause. pii=no"
        ),
        sa.Column("since_at", sa.BigInteger(), nullable=False, comment="Since when. pii=no"),
        sa.CheckConstraint("cause IN ('restriction', 'objection', 'pause')", name=op.f("ck_oidc_hold_cause")),
        sa.PrimaryKeyConstraint("resident_id", "client_id", "cause", name=op.f("pk_oidc_hold")),
        sqlite_with_rowid=False,
    )


def _requests() -> None:
    op.create_table(
        "rights_request",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column(
            "reference", sa.String(length=9), nullable=False, comment="What resident and town call it. pii=no"
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose request. pii=no"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="Which right is used. pii=no"),
        sa.Column(
            "about",
            sa.String(length=64),
            nullable=False,
            comment="A client, or the name of an attribute; empty: everything. pii=no",
        ),
        sa.Column(
            "state", sa.String(length=26), nullable=False, comment="A state of DPV's RequestStatus. pii=no"
        ),
        sa.Column(
            "wish", sa.LargeBinary(), nullable=True, comment="What was asked, as JSON, sealed. pii=yes"
        ),
        sa.Column("received_at", sa.BigInteger(), nullable=False, comment="When it came in. pii=no"),
        sa.Column(
            "due_at",
            sa.BigInteger(),
            nullable=False,
            comment="When the last day for an answer is over. pii=no",
        ),
        sa.Column(
            "extended_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the time was made longer, once. pii=no",
        ),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it was over. pii=no"),
        sa.CheckConstraint(f"kind IN ({_RIGHTS})", name=op.f("ck_rights_request_kind")),
        sa.CheckConstraint(f"state IN ({_OPEN}, {_ENDED})", name=op.f("ck_rights_request_state")),
        sa.CheckConstraint(
            f"(state IN ({_ENDED})) = (ended_at IS NOT NULL)", name=op.f("ck_rights_request_ended")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_request")),
        sa.UniqueConstraint("reference", name=op.f("uq_rights_request_reference")),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_rights_request_open",
        "rights_request",
        ["resident_id", "kind", "about"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index(
        "ix_rights_request_due", "rights_request", ["due_at"], sqlite_where=is_open, postgresql_where=is_open
    )
    for column in ("resident_id", "ended_at"):
        op.create_index(op.f(f"ix_rights_request_{column}"), "rights_request", [column])


def _steps() -> None:
    op.create_table(
        "rights_step",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="Runs on by one. pii=no",
        ),
        sa.Column("request_id", sa.String(length=22), nullable=False, comment="Of which request. pii=no"),
        sa.Column("state", sa.String(length=26), nullable=False, comment="What the request became. pii=no"),
        sa.Column(
            "actor", sa.String(length=40), nullable=False, comment="self, town, or staff: and an id. pii=yes"
        ),
        sa.Column(
            "said",
            sa.LargeBinary(),
            nullable=True,
            comment="What was said to the other side, sealed for the resident. pii=yes",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="When. pii=no"),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["rights_request.id"],
            name=op.f("fk_rights_step_request_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_step")),
    )
    op.create_index(op.f("ix_rights_step_request_id"), "rights_step", ["request_id"])


def downgrade() -> None:
    op.drop_table("oidc_hold")
    op.drop_table("rights_step")
    op.drop_table("rights_request")
