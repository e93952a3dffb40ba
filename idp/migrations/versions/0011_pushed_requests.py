"""Requests that were pushed before the resident comes (RFC 9126).

Phase: expand.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oidc_pushed_request",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the request_uri. pii=no"),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Who pushed it. pii=no"),
        sa.Column(
            "request",
            sa.Text(),
            nullable=False,
            comment="The validated request as JSON; login_hint left out. pii=no",
        ),
        sa.Column("login_hint", sa.LargeBinary(), nullable=True, comment="The sealed login_hint. pii=yes"),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the cookie of the browser that brought it first. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was pushed. pii=no"),
        sa.Column(
            "expires_at",
            sa.BigInteger(),
            nullable=False,
            comment="When it cannot be brought any more. pii=no",
        ),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was answered. pii=no"),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_oidc_pushed_request")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_oidc_pushed_request_expires_at"), "oidc_pushed_request", ["expires_at"])


def downgrade() -> None:
    op.drop_table("oidc_pushed_request")
