"""Messages by mail, text message and letter: what each one needs to be sent.

Phase: expand.
"""

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
