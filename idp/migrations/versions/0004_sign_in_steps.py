"""Sign-in as rows of ours: attempts, what was proved, one-time codes, TOTP, recovery codes.

Phase: expand. The downgrade removes every app that shows codes and every recovery code: whoever had a second factor
signs in with the password alone until they set one up again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_attempt",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the handle. pii=no"),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column(
            "flow",
            sa.String(length=43),
            nullable=False,
            comment="Handle of the partner's request that waits, of use in this browser only. pii=no",
        ),
        sa.Column(
            "next_path",
            sa.String(length=200),
            nullable=False,
            comment="Our page to go to when no partner waits. pii=no",
        ),
        sa.Column(
            "wanted_acr", sa.String(length=40), nullable=False, comment="Level that must be reached. pii=no"
        ),
        sa.Column(
            "resident_id",
            sa.String(length=22),
            nullable=True,
            comment="Who proves; NULL until something is proved. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it began. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column(
            "ended_at",
            sa.BigInteger(),
            nullable=True,
            comment="When it became a session or was given up. pii=no",
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_login_attempt")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_login_attempt_expires_at"), "login_attempt", ["expires_at"], unique=False)
    op.create_table(
        "login_proof",
        sa.Column("attempt_hash", sa.LargeBinary(), nullable=False, comment="In which attempt. pii=no"),
        sa.Column(
            "method",
            sa.String(length=20),
            nullable=False,
            comment="password, passkey, totp and so on. pii=no",
        ),
        sa.Column(
            "level", sa.String(length=40), nullable=False, comment="What it is worth by itself. pii=no"
        ),
        sa.Column(
            "amr",
            sa.String(length=80),
            nullable=False,
            comment="Its RFC 8176 values, space-separated. pii=no",
        ),
        sa.Column(
            "detail",
            sa.String(length=200),
            nullable=False,
            comment="Which credential it was, by its id. pii=no",
        ),
        sa.Column(
            "proved_at",
            sa.BigInteger(),
            nullable=False,
            comment="When it was proved, in this attempt or in the session that is raised. pii=no",
        ),
        sa.ForeignKeyConstraint(
            ["attempt_hash"],
            ["login_attempt.id_hash"],
            name=op.f("fk_login_proof_attempt_hash"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt_hash", "method", name=op.f("pk_login_proof")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "login_sent_code",
        sa.Column(
            "attempt_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="In which attempt, and so in which browser. pii=no",
        ),
        sa.Column("channel", sa.String(length=5), nullable=False, comment="email or sms. pii=no"),
        sa.Column(
            "resident_id",
            sa.String(length=22),
            nullable=True,
            comment="To whom it was sent; NULL: to nobody. pii=no",
        ),
        sa.Column(
            "code_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="HMAC of the code, the attempt and the channel. pii=no",
        ),
        sa.Column(
            "link_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret in the link. pii=no"
        ),
        sa.Column(
            "name_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="Blind index of the name that was typed, for budgets. pii=no",
        ),
        sa.Column("tries", sa.Integer(), nullable=False, comment="How often a code was typed. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was sent. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column(
            "spent_at", sa.BigInteger(), nullable=True, comment="When it was used, or had expired. pii=no"
        ),
        sa.CheckConstraint("channel IN ('email', 'sms')", name=op.f("ck_login_sent_code_channel")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_login_sent_code_tries")),
        sa.ForeignKeyConstraint(
            ["attempt_hash"],
            ["login_attempt.id_hash"],
            name=op.f("fk_login_sent_code_attempt_hash"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt_hash", "channel", name=op.f("pk_login_sent_code")),
        sa.UniqueConstraint("link_hash", name=op.f("uq_login_sent_code_link_hash")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_login_sent_code_expires_at"), "login_sent_code", ["expires_at"], unique=False)
    op.create_table(
        "login_code_choice",
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose choice. pii=no"),
        sa.Column("channel", sa.String(length=5), nullable=False, comment="email or sms. pii=no"),
        sa.Column("alone", sa.Boolean(), nullable=False, comment="A code is enough to sign in. pii=no"),
        sa.Column(
            "always", sa.Boolean(), nullable=False, comment="A code is asked for after the password. pii=no"
        ),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="When it was chosen. pii=no"),
        sa.CheckConstraint("channel IN ('email', 'sms')", name=op.f("ck_login_code_choice_channel")),
        sa.CheckConstraint("NOT (alone AND always)", name=op.f("ck_login_code_choice_one_use")),
        sa.PrimaryKeyConstraint("resident_id", "channel", name=op.f("pk_login_code_choice")),
    )
    op.create_table(
        "login_totp",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose app. pii=no"),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="160 bits in Base32, sealed. pii=no"),
        sa.Column(
            "name",
            sa.LargeBinary(),
            nullable=False,
            comment="What the resident calls it, sealed. pii=yes",
        ),
        sa.Column(
            "last_step",
            sa.BigInteger(),
            nullable=False,
            comment="Time step of the latest code used; no older one ever works. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was begun. pii=no"),
        sa.Column(
            "pending_until",
            sa.BigInteger(),
            nullable=True,
            comment="Until when its first code is waited for; NULL once it works. pii=no",
        ),
        sa.Column("used_at", sa.BigInteger(), nullable=True, comment="When it signed in last. pii=no"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_totp")),
    )
    op.create_index(op.f("ix_login_totp_pending_until"), "login_totp", ["pending_until"], unique=False)
    op.create_index(op.f("ix_login_totp_resident_id"), "login_totp", ["resident_id"], unique=False)
    op.create_table(
        "login_recovery_code",
        sa.Column(
            "code_hash", sa.LargeBinary(), nullable=False, comment="HMAC of the code and its owner. pii=no"
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose code. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the set was made. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was used. pii=no"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_login_recovery_code")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_login_recovery_code_resident_id"), "login_recovery_code", ["resident_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_login_recovery_code_resident_id"), table_name="login_recovery_code")
    op.drop_table("login_recovery_code")
    op.drop_index(op.f("ix_login_totp_pending_until"), table_name="login_totp")
    op.drop_index(op.f("ix_login_totp_resident_id"), table_name="login_totp")
    op.drop_table("login_totp")
    op.drop_table("login_code_choice")
    op.drop_index(op.f("ix_login_sent_code_expires_at"), table_name="login_sent_code")
    op.drop_table("login_sent_code")
    op.drop_table("login_proof")
    op.drop_index(op.f("ix_login_attempt_expires_at"), table_name="login_attempt")
    op.drop_table("login_attempt")
