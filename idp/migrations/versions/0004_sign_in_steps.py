"""Sign-in as rows of ours: attempts, what was proved, one-time codes, TOTP, recovery codes.

Phase: expand.
"""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
