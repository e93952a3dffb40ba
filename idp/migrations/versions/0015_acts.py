"""What is done in the town besides consenting and releasing stands in rows, each with its entry of the log.

Phase: expand. The downgrade forgets the rows; their entries stay in the log.
"""

import sqlalchemy as sa
from alembic import op

from consent.triggers import guard_ddl

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_act",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="a word of the log, such as account_frozen; pii=no"
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="self, town, or staff: and an id; pii=yes"),
        sa.Column(
            "resident_id",
            sa.Text(),
            nullable=True,
            comment="whom it concerns, if anyone; a pseudonym once the account is erased; pii=yes",
        ),
        sa.Column("client_id", sa.Text(), nullable=True, comment="which service it concerns, if any; pii=no"),
        sa.Column("details", sa.Text(), nullable=False, comment="JSON object; pii=yes"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.CheckConstraint("length(kind) BETWEEN 1 AND 40", name="ck_consent_act_kind"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index("ix_consent_act_resident", "consent_act", ["resident_id", "id"])
    op.create_index("ix_consent_act_kind", "consent_act", ["kind", "id"])
    for statement in guard_ddl(op.get_bind().dialect.name, "consent_act"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("consent_act")
