"""Devices without a keyboard (RFC 8628).

Phase: expand. The downgrade forgets which devices ask at the moment: they ask again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_device_request",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column(
            "device_code_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the device code. pii=no"
        ),
        sa.Column(
            "user_code_index",
            sa.LargeBinary(),
            nullable=False,
            comment="Blind index of the user code. pii=no",
        ),
        sa.Column(
            "client_id", sa.String(length=64), nullable=False, comment="Which client the device runs. pii=no"
        ),
        sa.Column("request", sa.Text(), nullable=False, comment="The validated request as JSON. pii=no"),
        sa.Column("poll_every", sa.Integer(), nullable=False, comment="Seconds between two polls. pii=no"),
        sa.Column(
            "polls_from", sa.BigInteger(), nullable=False, comment="Before that a poll comes too soon. pii=no"
        ),
        sa.Column(
            "resident_id",
            sa.String(length=22),
            nullable=True,
            comment="Who said that it is their device; the code is theirs from then on. pii=no",
        ),
        sa.Column(
            "run",
            sa.String(length=22),
            nullable=True,
            comment="In which run through the pages they said so. pii=no",
        ),
        sa.Column(
            "code_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="Which authorization it became; NULL unless it was allowed. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the device asked. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When both codes end. pii=no"),
        sa.Column(
            "decided_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the resident allowed or refused it. pii=no",
        ),
        sa.Column(
            "ended_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the device got its tokens, or its time was over. pii=no",
        ),
        sa.CheckConstraint(
            "code_hash IS NULL OR (decided_at IS NOT NULL AND run IS NOT NULL)",
            name=op.f("ck_oidc_device_request_code_hash"),
        ),
        sa.CheckConstraint("(run IS NULL) = (resident_id IS NULL)", name=op.f("ck_oidc_device_request_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_device_request")),
        sa.UniqueConstraint("device_code_hash", name=op.f("uq_oidc_device_request_device_code_hash")),
        sa.UniqueConstraint("user_code_index", name=op.f("uq_oidc_device_request_user_code_index")),
    )
    op.create_index(
        op.f("ix_oidc_device_request_expires_at"), "oidc_device_request", ["expires_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("oidc_device_request")
