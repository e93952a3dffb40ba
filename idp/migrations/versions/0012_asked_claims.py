"""Claims asked for one by one, and authorization details (OIDC Core §5.5, RFC 9396).

Phase: expand. After a downgrade, tokens give only what their scopes stand for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "oidc_authorization",
        sa.Column(
            "asked_claims",
            sa.Text(),
            nullable=True,
            comment="Claims asked for by name, and where, as JSON. pii=no",
        ),
    )
    op.add_column(
        "oidc_authorization",
        _details("Permissions for single matters that the resident gave, as JSON (RFC 9396). pii=yes"),
    )
    op.add_column(
        "oidc_access_token",
        _details("Those of the family's permissions that it carries, as JSON (RFC 9396). pii=yes"),
    )


def _details(comment: str) -> sa.Column[str]:
    return sa.Column("authorization_details", sa.Text(), nullable=True, comment=comment)


def downgrade() -> None:
    op.drop_column("oidc_access_token", "authorization_details")
    op.drop_column("oidc_authorization", "authorization_details")
    op.drop_column("oidc_authorization", "asked_claims")
