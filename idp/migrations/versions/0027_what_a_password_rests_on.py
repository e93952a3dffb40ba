"""By which codes alone a password was set, so that the two never pass for two factors.

Phase: expand. Of a password that was set before it is not known, and nothing is taken from it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_password",
        sa.Column(
            "rests_on",
            sa.String(length=20),
            nullable=True,
            comment="Codes by which alone whoever set it was known: email-code or sms-code; NULL: by more. pii=no",
        ),
    )


def downgrade() -> None:
    op.drop_column("login_password", "rests_on")
