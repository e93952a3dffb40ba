"""Partners are told of withdrawals by signed events, and say what they have done.

Phase: expand. The downgrade forgets events that wait and what partners have confirmed; the acts of it stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_OPEN = "confirmed_at IS NULL AND closed_at IS NULL"
_EVENTS = (
    "'consent-withdrawn', 'consent-expired', 'data-rectified', 'erasure-requested', "
    "'processing-restricted', 'objection'"
)


def upgrade() -> None:
    _let_deliveries_be_events()
    _create_confirmations()


def _let_deliveries_be_events() -> None:
    with op.batch_alter_table("signals_delivery") as batch:
        batch.add_column(
            sa.Column(
                "event",
                sa.Text(),
                nullable=True,
                comment="URI of the event; NULL for a logout token. pii=no",
            )
        )
        batch.add_column(
            sa.Column(
                "payload",
                sa.Text(),
                nullable=True,
                comment="What the event says, as JSON: names of purposes and data, never values. pii=yes",
            )
        )
        batch.add_column(
            sa.Column(
                "matter_id",
                sa.String(length=22),
                nullable=True,
                comment="What is to be confirmed, if anything: the txn of the event. pii=no",
            )
        )
        batch.alter_column(
            "kind",
            existing_type=sa.String(length=10),
            existing_nullable=False,
            comment="How it is told: logout or event. pii=no",
            existing_comment="What is told: logout. pii=no",
        )
        batch.alter_column(
            "sid",
            existing_type=sa.String(length=22),
            existing_nullable=False,
            comment="Public name of the session that ended; empty for an event. pii=no",
            existing_comment="Public name of the session that ended. pii=no",
        )
        batch.drop_constraint(op.f("ck_signals_delivery_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_signals_delivery_kind"), "kind IN ('logout', 'event')")
        batch.create_check_constraint(
            op.f("ck_signals_delivery_event"), "(kind = 'event') = (event IS NOT NULL)"
        )


def _create_confirmations() -> None:
    op.create_table(
        "consent_confirmation",
        sa.Column("id", sa.Text(), nullable=False, comment="random; txn of what is told; pii=no"),
        sa.Column(
            "resident_id",
            sa.Text(),
            nullable=False,
            comment="a pseudonym once the account is erased; pii=yes",
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="who is told; pii=yes"),
        sa.Column("event", sa.Text(), nullable=False, comment="what is told; pii=yes"),
        sa.Column("details", sa.Text(), nullable=False, comment="JSON: names of purposes and data; pii=yes"),
        sa.Column(
            "channel", sa.Text(), nullable=False, comment="event, logout or none: how it is told; pii=no"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.Column("due_at", sa.BigInteger(), nullable=False, comment="when it must be confirmed; pii=no"),
        sa.Column("told_at", sa.BigInteger(), nullable=True, comment="when the partner took it; pii=yes"),
        sa.Column("reminded_at", sa.BigInteger(), nullable=True, comment="when it was sent anew; pii=no"),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True, comment="pii=yes"),
        sa.Column("outcome", sa.Text(), nullable=True, comment="deleted, restricted, kept_by_law; pii=yes"),
        sa.Column("reason", sa.Text(), nullable=True, comment="in the partner's words; pii=yes"),
        sa.Column("closed_at", sa.BigInteger(), nullable=True, comment="by an officer; pii=yes"),
        sa.Column("closed_by", sa.Text(), nullable=True, comment="id of the officer; pii=no"),
        sa.Column("closed_reason", sa.Text(), nullable=True, comment="in the officer's words; pii=yes"),
        sa.CheckConstraint(f"event IN ({_EVENTS})", name="ck_consent_confirmation_event"),
        sa.CheckConstraint("channel IN ('event', 'logout', 'none')", name="ck_consent_confirmation_channel"),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('deleted', 'restricted', 'kept_by_law')",
            name="ck_consent_confirmation_outcome",
        ),
        sa.CheckConstraint("(confirmed_at IS NULL) = (outcome IS NULL)", name="ck_consent_confirmation_done"),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)", name="ck_consent_confirmation_closed"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_consent_confirmation_resident",
        "consent_confirmation",
        ["resident_id", "client_id", "created_at"],
    )
    op.create_index(
        "ix_consent_confirmation_open",
        "consent_confirmation",
        ["due_at", "id"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )


def downgrade() -> None:
    op.drop_table("consent_confirmation")
    op.execute("DELETE FROM signals_delivery WHERE kind = 'event'")
    with op.batch_alter_table("signals_delivery") as batch:
        batch.drop_constraint(op.f("ck_signals_delivery_event"), type_="check")
        batch.drop_constraint(op.f("ck_signals_delivery_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_signals_delivery_kind"), "kind IN ('logout')")
        batch.alter_column(
            "kind",
            existing_type=sa.String(length=10),
            existing_nullable=False,
            comment="What is told: logout. pii=no",
            existing_comment="How it is told: logout or event. pii=no",
        )
        batch.alter_column(
            "sid",
            existing_type=sa.String(length=22),
            existing_nullable=False,
            comment="Public name of the session that ended. pii=no",
            existing_comment="Public name of the session that ended; empty for an event. pii=no",
        )
        for column in ("matter_id", "payload", "event"):
            batch.drop_column(column)
