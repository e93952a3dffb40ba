"""Claims asked for one by one, and authorization details (OIDC Core §5.5, RFC 9396).

Phase: expand.
"""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
