"""Guessing budgets per authenticator, and devices a resident signed in with before.

Phase: expand. The downgrade forgets both: every authenticator has its whole budget again, every device is new.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_streak",
        sa.Column(
            "bucket",
            sa.String(length=100),
            nullable=False,
            comment="Which authenticator, from where, hashed. pii=no",
        ),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="Guesses since the last right one. pii=no"
        ),
        sa.Column(
            "waits_until",
            sa.BigInteger(),
            nullable=False,
            comment="Before that no guess is looked at. pii=no",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger(),
            nullable=True,
            comment="When a count that belongs to nobody is forgotten; NULL: never. pii=no",
        ),
        sa.CheckConstraint("failures > 0", name=op.f("ck_login_streak_failures")),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_login_streak")),
    )
    op.create_index(op.f("ix_login_streak_expires_at"), "login_streak", ["expires_at"], unique=False)
    op.create_table(
        "login_device",
        sa.Column(
            "device_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the device's cookie. pii=no",
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who signed in there. pii=no"),
        sa.Column(
            "id",
            sa.String(length=22),
            nullable=False,
            comment="Name of the device for its resident, and in budgets. pii=no",
        ),
        sa.Column(
            "label",
            sa.String(length=120),
            nullable=False,
            comment="Browser and system, in few words. pii=yes",
        ),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="When they first signed in there. pii=no"
        ),
        sa.Column(
            "seen_at", sa.BigInteger(), nullable=False, comment="When they last signed in there. pii=no"
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is forgotten. pii=no"),
        sa.PrimaryKeyConstraint("device_hash", "resident_id", name=op.f("pk_login_device")),
        sa.UniqueConstraint("id", name=op.f("uq_login_device_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_login_device_expires_at"), "login_device", ["expires_at"], unique=False)
    op.create_index(op.f("ix_login_device_resident_id"), "login_device", ["resident_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_login_device_resident_id"), table_name="login_device")
    op.drop_index(op.f("ix_login_device_expires_at"), table_name="login_device")
    op.drop_table("login_device")
    op.drop_index(op.f("ix_login_streak_expires_at"), table_name="login_streak")
    op.drop_table("login_streak")
