"""Codes that were sent are found by whose they are, to end with a change of credentials.

Phase: expand. The table holds the codes of the last hours: the index is made in a moment.
"""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_login_sent_code_resident_id", "login_sent_code", ["resident_id"])


def downgrade() -> None:
    op.drop_index("ix_login_sent_code_resident_id", table_name="login_sent_code")
