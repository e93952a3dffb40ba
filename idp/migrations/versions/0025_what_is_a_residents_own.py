"""What is a resident's own is found without looking at what is others'.

Phase: expand. To the index of the resident either engine could prefer one that began with the kind of an address: every
sign-in then read all e-mail addresses of the town. The questions of a resident, and the sign-ins that they had begun,
had no index at all.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_BEGUN = ("login_attempt", "login_challenge")


def upgrade() -> None:
    _find_addresses_by("value_index", "kind")
    op.create_index("ix_consent_question_resident", "consent_question", ["resident_id", "asked_at"])
    is_known = sa.text("resident_id IS NOT NULL")
    for table in _BEGUN:
        op.create_index(
            f"ix_{table}_resident_id",
            table,
            ["resident_id"],
            sqlite_where=is_known,
            postgresql_where=is_known,
        )


def downgrade() -> None:
    for table in _BEGUN:
        op.drop_index(f"ix_{table}_resident_id", table_name=table)
    op.drop_index("ix_consent_question_resident", table_name="consent_question")
    _find_addresses_by("kind", "value_index")


def _find_addresses_by(first: str, second: str) -> None:
    """Both indexes of addresses anew, with their columns in this order."""
    table, signs_in = "accounts_contact_point", sa.text("signs_in")
    where: dict[str, Any] = {"sqlite_where": signs_in, "postgresql_where": signs_in}
    op.drop_index("uq_accounts_contact_point_signs_in", table_name=table, **where)
    op.drop_index("ix_accounts_contact_point_value", table_name=table)
    op.create_index("ix_accounts_contact_point_value", table, [first, second])
    op.create_index("uq_accounts_contact_point_signs_in", table, [first, second], unique=True, **where)
