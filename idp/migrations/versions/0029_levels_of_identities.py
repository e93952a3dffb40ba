"""What an identity of a provider has proved here, so that a password alone takes no connection apart that is worth more.

Phase: expand. Of one that was connected before it is not known: the best that its provider may say is taken for it until
it signs in next.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_upstream_identity",
        sa.Column(
            "level",
            sa.String(40),
            nullable=True,
            comment="Highest level that it has proved here; NULL: not known. pii=no",
        ),
    )


def downgrade() -> None:
    op.drop_column("login_upstream_identity", "level")
