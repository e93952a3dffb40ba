"""Upstream identity providers and whom they know.

Phase: expand. The downgrade forgets who is connected with a provider: residents sign in another way and connect anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_upstream_identity",
        sa.Column(
            "id",
            sa.String(length=22),
            nullable=False,
            comment="Name of the connection in addresses of pages. pii=no",
        ),
        sa.Column(
            "provider", sa.String(length=32), nullable=False, comment="Which provider, by its id here. pii=no"
        ),
        sa.Column(
            "subject_index",
            sa.LargeBinary(),
            nullable=False,
            comment="Blind index of issuer and sub (OIDC Core §5.7). pii=no",
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who it is here. pii=no"),
        sa.Column("linked_at", sa.BigInteger(), nullable=False, comment="When it was connected. pii=no"),
        sa.Column("used_at", sa.BigInteger(), nullable=True, comment="When it signed in last. pii=no"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_upstream_identity")),
        sa.UniqueConstraint("subject_index", name=op.f("uq_login_upstream_identity_subject_index")),
        sa.UniqueConstraint(
            "resident_id", "provider", name=op.f("uq_login_upstream_identity_resident_id_provider")
        ),
    )
    op.create_table(
        "login_upstream_state",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the state. pii=no"),
        sa.Column(
            "provider", sa.String(length=32), nullable=False, comment="Who was asked, by its id here. pii=no"
        ),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column(
            "kept",
            sa.LargeBinary(),
            nullable=False,
            comment="Nonce, code verifier, the sign-in that waits; sealed by the service. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was asked. pii=no"),
        sa.Column(
            "expires_at", sa.BigInteger(), nullable=False, comment="When an answer comes too late. pii=no"
        ),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When an answer came first. pii=no"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_login_upstream_state")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_login_upstream_state_expires_at"), "login_upstream_state", ["expires_at"], unique=False
    )
    op.create_table(
        "login_upstream_arrival",
        sa.Column(
            "handle_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the handle in the address. pii=no",
        ),
        sa.Column(
            "provider", sa.String(length=32), nullable=False, comment="Who knows them, by its id here. pii=no"
        ),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column(
            "subject_index",
            sa.LargeBinary(),
            nullable=False,
            comment="Blind index of issuer and sub. pii=no",
        ),
        sa.Column(
            "kept",
            sa.LargeBinary(),
            nullable=True,
            comment="What the provider said, sealed by the service; gone once spent. pii=yes",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When they came. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When they must come again. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When they were connected. pii=no"),
        sa.CheckConstraint(
            "(kept IS NULL) = (spent_at IS NOT NULL)", name=op.f("ck_login_upstream_arrival_kept")
        ),
        sa.PrimaryKeyConstraint("handle_hash", name=op.f("pk_login_upstream_arrival")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_login_upstream_arrival_expires_at"), "login_upstream_arrival", ["expires_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("login_upstream_arrival")
    op.drop_table("login_upstream_state")
    op.drop_table("login_upstream_identity")
