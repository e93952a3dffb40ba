"""Messages by mail, text message and letter: what each one needs to be sent; limits per address; printed batches.

Phase: expand. The downgrade gives up what waits to be sent: the version before cannot read it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")
_CHECKS = {
    "state": "state IN ('waiting', 'sent', 'expired', 'dead', 'withheld', 'dropped')",
    "channel": "channel IN ('mail', 'sms', 'letter')",
    "kind": "kind IN ('code', 'notice', 'reminder')",
    "batch": "channel = 'letter' OR batch IS NULL",
}
_FORMER_STATE = "state IN ('waiting', 'sent', 'expired', 'dead')"
_COMMENTS: dict[str, tuple[Any, bool, str, str]] = {
    "state": (
        sa.String(length=10),
        False,
        "waiting, sent, expired or dead. pii=no",
        "waiting, sent, expired, dead, withheld or dropped. pii=no",
    ),
    "content": (
        sa.LargeBinary(),
        True,
        "Recipient, subject and text, sealed by the service. pii=yes",
        "Recipient and facts of the text, sealed by the service. pii=yes",
    ),
    "attempts": (
        sa.Integer(),
        False,
        "How often it was tried. pii=no",
        "How often it was claimed to be sent. pii=no",
    ),
}


def upgrade() -> None:
    _drop_index()
    with op.batch_alter_table("messaging_outbox") as table:
        for column in _added():
            table.add_column(column)
        for name, (kind, nullable, former, new) in _COMMENTS.items():
            table.alter_column(
                name, existing_type=kind, existing_nullable=nullable, existing_comment=former, comment=new
            )
        _change_checks(table, drop=("state",), create=_CHECKS)
    with op.batch_alter_table("messaging_outbox") as table:
        for column in _added():
            if column.server_default is not None:
                table.alter_column(
                    column.name,
                    existing_type=column.type,
                    existing_nullable=False,
                    existing_comment=column.comment,
                    server_default=None,
                )
    _create_index(["channel", "due_at"])
    op.create_index("ix_messaging_outbox_resident_id", "messaging_outbox", ["resident_id"], unique=False)
    op.create_table(
        "messaging_allowance",
        sa.Column(
            "bucket_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="Keyed digest of limit, channel and address. pii=no",
        ),
        sa.Column("since_at", sa.BigInteger(), nullable=False, comment="When the counting began. pii=no"),
        sa.Column("used", sa.Integer(), nullable=False, comment="Messages since then. pii=no"),
        sa.PrimaryKeyConstraint("bucket_hash", name=op.f("pk_messaging_allowance")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messaging_batch",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="Runs on by one; in the file's name. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was begun. pii=no"),
        sa.Column(
            "finished_at",
            sa.BigInteger(),
            nullable=True,
            comment="When its letters were marked as sent. pii=no",
        ),
        sa.Column("letters", sa.Integer(), nullable=False, comment="How many letters it holds. pii=no"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_messaging_batch")),
    )


def downgrade() -> None:
    op.drop_table("messaging_batch")
    op.drop_table("messaging_allowance")
    op.execute(sa.text("DELETE FROM messaging_outbox WHERE state = 'waiting' OR channel <> 'mail'"))
    op.execute(
        sa.text(
            "UPDATE messaging_outbox SET state = 'dead', content = NULL WHERE state IN ('dead', 'withheld', 'dropped')"
        )
    )
    op.drop_index("ix_messaging_outbox_resident_id", table_name="messaging_outbox")
    _drop_index()
    with op.batch_alter_table("messaging_outbox") as table:
        _change_checks(table, drop=("channel", "kind", "batch", "state"), create={"state": _FORMER_STATE})
        for name, (kind, nullable, former, new) in _COMMENTS.items():
            table.alter_column(
                name, existing_type=kind, existing_nullable=nullable, existing_comment=new, comment=former
            )
        for column in reversed(_added()):
            table.drop_column(column.name)
    _create_index(["due_at"])


def _change_checks(table: Any, *, drop: tuple[str, ...], create: dict[str, str]) -> None:
    for name in drop:
        table.drop_constraint(op.f(f"ck_messaging_outbox_{name}"), type_="check")
    for name, rule in create.items():
        table.create_check_constraint(op.f(f"ck_messaging_outbox_{name}"), sa.text(rule))


def _drop_index() -> None:
    op.drop_index(
        "ix_messaging_outbox_due",
        table_name="messaging_outbox",
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )


def _create_index(columns: list[str]) -> None:
    op.create_index(
        "ix_messaging_outbox_due",
        "messaging_outbox",
        columns,
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )


def _added() -> tuple[sa.Column[Any], ...]:
    """What is new. Rows that are there already get the default; new ones always say it themselves."""
    return (
        sa.Column(
            "channel",
            sa.String(length=6),
            nullable=False,
            server_default="mail",
            comment="mail, sms or letter. pii=no",
        ),
        sa.Column(
            "kind",
            sa.String(length=8),
            nullable=False,
            server_default="notice",
            comment="code, notice or reminder. pii=no",
        ),
        sa.Column(
            "language",
            sa.String(length=8),
            nullable=False,
            server_default="en",
            comment="Language of the reader. pii=no",
        ),
        sa.Column(
            "resident_id",
            sa.String(length=22),
            nullable=True,
            comment="Whom it concerns, where that is a resident. pii=no",
        ),
        sa.Column(
            "recipient_index",
            sa.LargeBinary(),
            nullable=True,
            comment="Blind index of the address, for limits. pii=no",
        ),
        sa.Column(
            "refusals",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="How often it was turned down for the time being. pii=no",
        ),
        sa.Column(
            "trouble",
            sa.String(length=60),
            nullable=False,
            server_default="",
            comment="Why it was not sent last time, without any address. pii=no",
        ),
        sa.Column(
            "reference",
            sa.String(length=64),
            nullable=True,
            comment="What the gateway calls it, to ask there. pii=no",
        ),
        sa.Column(
            "batch", sa.BigInteger(), nullable=True, comment="The printed batch that a letter is in. pii=no"
        ),
    )
