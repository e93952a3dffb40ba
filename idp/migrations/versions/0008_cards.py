"""Printed cards with PIN and paper lists; whether a password is too short to stand alone.

Phase: expand. Passwords kept so far are of at least fifteen characters. The downgrade removes cards and lists: they
open nothing any more, and a resident with nothing else needs another way in.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_password",
        sa.Column(
            "is_short",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Whether it is good enough only beside a second factor. pii=no",
        ),
    )
    op.create_table(
        "login_card",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose card. pii=no"),
        sa.Column(
            "number_index",
            sa.LargeBinary(),
            nullable=False,
            comment="Blind index of the number on it. pii=no",
        ),
        sa.Column(
            "ending",
            sa.String(length=4),
            nullable=False,
            comment="Last four of the number, to tell one from another. pii=no",
        ),
        sa.Column(
            "pin_verifier",
            sa.String(length=200),
            nullable=False,
            comment="Encoded Argon2id hash of the PIN. pii=no",
        ),
        sa.Column("issued_at", sa.BigInteger(), nullable=False, comment="When it was issued. pii=no"),
        sa.Column("used_at", sa.BigInteger(), nullable=True, comment="When it signed in last. pii=no"),
        sa.Column(
            "revoked_at", sa.BigInteger(), nullable=True, comment="When it was revoked or replaced. pii=no"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_card")),
        sa.UniqueConstraint("number_index", name=op.f("uq_login_card_number_index")),
    )
    op.create_index(op.f("ix_login_card_resident_id"), "login_card", ["resident_id"], unique=False)
    op.create_index(
        "uq_login_card_live",
        "login_card",
        ["resident_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "login_paper_code",
        sa.Column("card_id", sa.String(length=22), nullable=False, comment="Card it goes with. pii=no"),
        sa.Column("place", sa.Integer(), nullable=False, comment="Its number on the list. pii=no"),
        sa.Column(
            "verifier",
            sa.String(length=200),
            nullable=False,
            comment="Encoded Argon2id hash of the code. pii=no",
        ),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was used. pii=no"),
        sa.CheckConstraint("place > 0", name=op.f("ck_login_paper_code_place")),
        sa.ForeignKeyConstraint(
            ["card_id"],
            ["login_card.id"],
            name=op.f("fk_login_paper_code_card_id_login_card"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("card_id", "place", name=op.f("pk_login_paper_code")),
    )


def downgrade() -> None:
    op.drop_table("login_paper_code")
    op.drop_table("login_card")
    with op.batch_alter_table("login_password") as table:
        table.drop_column("is_short")
