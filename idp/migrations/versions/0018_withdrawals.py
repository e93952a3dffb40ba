"""Partners are told of withdrawals, and what they have confirmed.

Phase: expand. To be written.
"""

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
