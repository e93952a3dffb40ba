"""A grant says whether its client has been told the subject, and a signal by which subject its client knows the resident.

Phase: expand, and backfill: all that stand are taken for told, so no client loses a subject that it knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "oidc_grant",
        sa.Column(
            "told_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the client redeemed a code under it first, so knows the sub. pii=no",
        ),
    )
    op.add_column(
        "signals_delivery",
        sa.Column(
            "subject",
            sa.String(255),
            nullable=True,
            comment="The sub that the client was told; NULL: the one of its sector. pii=yes",
        ),
    )
    op.execute("UPDATE oidc_grant SET told_at = granted_at")


def downgrade() -> None:
    op.drop_column("signals_delivery", "subject")
    op.drop_column("oidc_grant", "told_at")
