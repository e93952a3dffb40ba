"""Notices are drafted, reviewed and published; purposes say what ISO/IEC TS 27560 asks.

Phase: expand. To be written.
"""

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
