"""Which session a proof was brought along from, so that a step-up raises that session and no other.

Phase: expand. Of the sign-ins under way nobody knows it: whoever is at one proves once more who they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_proof",
        sa.Column(
            "raised_sid",
            sa.String(length=22),
            nullable=True,
            comment="Session that proved it and is raised; NULL: proved in this attempt. pii=no",
        ),
    )
    op.execute(
        "DELETE FROM login_proof WHERE attempt_hash IN (SELECT id_hash FROM login_attempt WHERE ended_at IS NULL)"
    )


def downgrade() -> None:
    op.drop_column("login_proof", "raised_sid")
