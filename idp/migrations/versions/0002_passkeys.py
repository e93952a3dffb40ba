"""Passkeys of residents, and the challenges of their ceremonies.

Phase: expand. The downgrade removes both tables: every passkey is lost, and a resident without a password can sign
in no more until they are given another way.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_challenge",
        sa.Column(
            "challenge_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the challenge. pii=no"
        ),
        sa.Column("purpose", sa.String(length=10), nullable=False, comment="create or get. pii=no"),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column(
            "resident_id",
            sa.String(length=22),
            nullable=True,
            comment="Who must answer it; NULL: whoever signs in. pii=no",
        ),
        sa.Column(
            "flow_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the handle of the partner's request that waits. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was given out. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it came back first. pii=no"),
        sa.CheckConstraint(
            "purpose = 'get' OR resident_id IS NOT NULL", name=op.f("ck_login_challenge_resident")
        ),
        sa.CheckConstraint("purpose IN ('create', 'get')", name=op.f("ck_login_challenge_purpose")),
        sa.PrimaryKeyConstraint("challenge_hash", name=op.f("pk_login_challenge")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_login_challenge_expires_at"), "login_challenge", ["expires_at"], unique=False)
    op.create_table(
        "login_passkey",
        sa.Column(
            "credential_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the credential id. pii=no",
        ),
        sa.Column(
            "id",
            sa.String(length=22),
            nullable=False,
            comment="Name of the passkey in addresses of pages. pii=no",
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose passkey. pii=no"),
        sa.Column(
            "credential_id", sa.LargeBinary(), nullable=False, comment="As the device knows it. pii=no"
        ),
        sa.Column("public_key", sa.LargeBinary(), nullable=False, comment="COSE key (RFC 9052 §7). pii=no"),
        sa.Column(
            "sign_count", sa.BigInteger(), nullable=False, comment="Signature counter as last seen. pii=no"
        ),
        sa.Column(
            "user_handle",
            sa.LargeBinary(),
            nullable=False,
            comment="By what the device knows the resident: random to everybody else. pii=no",
        ),
        sa.Column(
            "rp_id",
            sa.String(length=253),
            nullable=False,
            comment="Domain that the passkey belongs to. pii=no",
        ),
        sa.Column(
            "name", sa.LargeBinary(), nullable=False, comment="What the resident calls it, sealed. pii=yes"
        ),
        sa.Column(
            "transports",
            sa.String(length=80),
            nullable=False,
            comment="How the device is reached, space-separated. pii=no",
        ),
        sa.Column(
            "may_sync",
            sa.Boolean(),
            nullable=False,
            comment="Backup eligible (BE): not of one device. pii=no",
        ),
        sa.Column("is_synced", sa.Boolean(), nullable=False, comment="Backed up when last seen (BS). pii=no"),
        sa.Column(
            "aaguid",
            sa.String(length=36),
            nullable=False,
            comment="Model of the authenticator, as it says itself. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was added. pii=no"),
        sa.Column("used_at", sa.BigInteger(), nullable=True, comment="When it signed in last. pii=no"),
        sa.CheckConstraint("may_sync OR NOT is_synced", name=op.f("ck_login_passkey_synced")),
        sa.CheckConstraint("sign_count >= 0", name=op.f("ck_login_passkey_sign_count")),
        sa.PrimaryKeyConstraint("credential_hash", name=op.f("pk_login_passkey")),
        sa.UniqueConstraint("id", name=op.f("uq_login_passkey_id")),
    )
    op.create_index(op.f("ix_login_passkey_resident_id"), "login_passkey", ["resident_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_login_passkey_resident_id"), table_name="login_passkey")
    op.drop_table("login_passkey")
    op.drop_index(op.f("ix_login_challenge_expires_at"), table_name="login_challenge")
    op.drop_table("login_challenge")
