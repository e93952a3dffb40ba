"""Guessing budgets per authenticator, and devices a resident signed in with before.

Phase: expand.
"""

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
