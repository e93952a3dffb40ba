"""Requests under the rights of GDPR Art. 15 to 21.

Phase: expand. To be written.
"""

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
