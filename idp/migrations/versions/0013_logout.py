"""Telling partners that a session has ended (back-channel and front-channel logout).

Phase: expand. Sessions that ended before count as told: their partners knew of no such thing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_login_session_untold": ("ended_at", "ended_at IS NOT NULL AND told_at IS NULL"),
    "ix_login_session_former": ("former_sid", "former_sid IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column(
        "login_session",
        sa.Column(
            "former_sid",
            sa.String(length=22),
            nullable=True,
            comment="Session of the same resident in this browser that a new sign-in put it in the place of. pii=no",
        ),
    )
    op.add_column(
        "login_session",
        sa.Column(
            "told_at",
            sa.BigInteger(),
            nullable=True,
            comment="When telling partners of its end was put in hand. pii=no",
        ),
    )
    op.execute("UPDATE login_session SET told_at = ended_at WHERE ended_at IS NOT NULL")
    for name, (column, condition) in _INDEXES.items():
        op.create_index(
            name,
            "login_session",
            [column],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    _create_deliveries()


def _create_deliveries() -> None:
    op.create_table(
        "signals_delivery",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="What is told: logout. pii=no"),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Who is told. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whom it concerns. pii=no"),
        sa.Column(
            "sid",
            sa.String(length=22),
            nullable=False,
            comment="Public name of the session that ended. pii=no",
        ),
        sa.Column(
            "state", sa.String(length=10), nullable=False, comment="waiting, sent, dead or dropped. pii=no"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was put in hand. pii=no"),
        sa.Column("due_at", sa.BigInteger(), nullable=False, comment="When it is tried next. pii=no"),
        sa.Column(
            "attempts", sa.Integer(), nullable=False, comment="How often it was claimed to be sent. pii=no"
        ),
        sa.Column(
            "refusals",
            sa.Integer(),
            nullable=False,
            comment="How often it failed since it was begun. pii=no",
        ),
        sa.Column(
            "trouble",
            sa.String(length=60),
            nullable=False,
            comment="Why it was not taken last time. pii=no",
        ),
        sa.Column(
            "finished_at", sa.BigInteger(), nullable=True, comment="When it was taken or given up. pii=no"
        ),
        sa.CheckConstraint("kind IN ('logout')", name=op.f("ck_signals_delivery_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'dead', 'dropped')", name=op.f("ck_signals_delivery_state")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (finished_at IS NULL)", name=op.f("ck_signals_delivery_finished")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals_delivery")),
    )
    op.create_index(
        "ix_signals_delivery_due",
        "signals_delivery",
        ["due_at"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_table("signals_delivery")
    for name in _INDEXES:
        op.drop_index(name, table_name="login_session")
    op.drop_column("login_session", "told_at")
    op.drop_column("login_session", "former_sid")
