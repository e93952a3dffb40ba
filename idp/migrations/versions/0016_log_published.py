"""The published log: the hashes above full tiles, and what witnesses said of checkpoints.

Phase: expand. The upgrade computes the hashes above the leaves that are there already; the downgrade forgets them
and the cosignatures.
"""

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from consent.triggers import guard_ddl

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_WIDE = 256
_LEAVES = "SELECT leaf_hash FROM consent_log_leaf WHERE leaf_index >= :start AND leaf_index < :end ORDER BY leaf_index"
_NODES = (
    "SELECT node_hash FROM consent_log_node WHERE level = {level} AND node_index >= :start AND node_index < :end"
    " ORDER BY node_index"
)


def upgrade() -> None:
    op.create_table(
        "consent_log_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, …; pii=no"),
        sa.Column(
            "node_index",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="0, 1, … within its level; pii=no",
        ),
        sa.Column("node_hash", sa.LargeBinary(length=32), nullable=False, comment="RFC 9162 §2.1.1; pii=no"),
        sa.PrimaryKeyConstraint("level", "node_index"),
    )
    op.create_table(
        "consent_log_cosignature",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("tree_size", sa.BigInteger(), nullable=False, comment="of which checkpoint; pii=no"),
        sa.Column("name", sa.Text(), nullable=False, comment="the witness's, as in its key; pii=no"),
        sa.Column("line", sa.Text(), nullable=False, comment="the signature line, without its end; pii=no"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consent_log_cosignature_size", "consent_log_cosignature", ["tree_size", "name"])
    _fill(op.get_bind())
    for table in ("consent_log_node", "consent_log_cosignature"):
        for statement in guard_ddl(op.get_bind().dialect.name, table):
            op.execute(statement)


def _fill(connection: sa.Connection) -> None:
    """Level 1 from the leaves, each further level from the one below; 256 hashes of it make one."""
    level, rows = 0, _fill_from(connection, _LEAVES, 1)
    while rows >= _WIDE:
        level += 1
        rows = _fill_from(connection, _NODES.format(level=level), level + 1)


def _fill_from(connection: sa.Connection, below: str, level: int) -> int:
    insert = sa.text(
        "INSERT INTO consent_log_node (level, node_index, node_hash) VALUES (:level, :at, :hash)"
    )
    count = 0
    while True:
        span = {"start": count * _WIDE, "end": (count + 1) * _WIDE}
        page = connection.execute(sa.text(below), span).scalars().all()
        if len(page) < _WIDE:
            return count
        connection.execute(insert, {"level": level, "at": count, "hash": _root(page)})
        count += 1


def _root(hashes: Sequence[bytes]) -> bytes:
    level = [bytes(one) for one in hashes]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return level[0]


def downgrade() -> None:
    op.drop_table("consent_log_cosignature")
    op.drop_table("consent_log_node")
