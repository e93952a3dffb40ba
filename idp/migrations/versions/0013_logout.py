"""Telling partners that a session has ended (back-channel and front-channel logout).

Phase: expand.
"""

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
