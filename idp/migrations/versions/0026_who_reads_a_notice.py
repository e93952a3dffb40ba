"""Who reads a "This wasn't me" link, so that a thief's word undoes nothing that is older than the thief's address.

Phase: expand. Links that were sent before are of no known reader: by them goes what was added since their notice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts_not_me_link",
        sa.Column(
            "contact_id",
            sa.String(length=22),
            nullable=True,
            comment="Contact point that it was sent to; NULL: by post, or not known. pii=no",
        ),
    )
    op.add_column(
        "accounts_not_me_link",
        sa.Column(
            "since_at",
            sa.BigInteger(),
            nullable=True,
            comment="When that contact point had been confirmed; NULL as before. pii=no",
        ),
    )


def downgrade() -> None:
    op.drop_column("accounts_not_me_link", "since_at")
    op.drop_column("accounts_not_me_link", "contact_id")
