"""Receipts have signing keys of their own: the comment of the column that says what a key is for.

Phase: expand. The keys themselves are made by `denizen migrate` and by the worker.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COLUMN = "COMMENT ON COLUMN keys_signing_key.use IS 'What it signs: {}; pii=no'"


def upgrade() -> None:
    _comment("tokens, log or receipts")


def downgrade() -> None:
    _comment("tokens or log")


def _comment(uses: str) -> None:
    """SQLite keeps no comments."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_COLUMN.format(uses))
