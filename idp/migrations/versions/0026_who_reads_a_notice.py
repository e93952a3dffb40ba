"""What "This wasn't me" needs: who reads a link, and which contact point comes back if its reader presses it.

Phase: expand. A thief's word undoes nothing that is older than the thief's address. Links that were sent before are of no known reader: by them goes what was added since their notice.
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
    op.create_table(
        "accounts_former_contact_point",
        sa.Column(
            "id", sa.String(length=22), nullable=False, comment="The id that the contact point had. pii=no"
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who was reached. pii=no"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="email or phone. pii=no"),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="The address, sealed. pii=yes"),
        sa.Column(
            "signs_in", sa.Boolean(), nullable=False, comment="Whether it worked as a user name. pii=no"
        ),
        sa.Column(
            "is_main", sa.Boolean(), nullable=False, comment="Whether services were told this one. pii=no"
        ),
        sa.Column(
            "verified_at", sa.BigInteger(), nullable=False, comment="When it had been confirmed. pii=no"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it had been given. pii=no"),
        sa.Column(
            "expires_at", sa.BigInteger(), nullable=False, comment="When it comes back no more. pii=no"
        ),
        sa.ForeignKeyConstraint(
            ["resident_id"],
            ["accounts_resident.id"],
            name=op.f("fk_accounts_former_contact_point_resident_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_former_contact_point")),
    )
    for column in ("resident_id", "expires_at"):
        op.create_index(
            op.f(f"ix_accounts_former_contact_point_{column}"), "accounts_former_contact_point", [column]
        )


def downgrade() -> None:
    op.drop_table("accounts_former_contact_point")
    op.drop_column("accounts_not_me_link", "since_at")
    op.drop_column("accounts_not_me_link", "contact_id")
