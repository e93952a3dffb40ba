"""What a session proved, so that a step-up carries it as what it was.

Phase: expand. A session that began before brings nothing along: whoever is to prove more proves everything anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_session",
        sa.Column(
            "proofs",
            sa.String(length=200),
            nullable=True,
            comment="Ways to sign in proved in it, each with its level; NULL: not known. pii=no",
        ),
    )


def downgrade() -> None:
    op.drop_column("login_session", "proofs")
