"""What the officer searches by: records newest first, look-ups and acts by who did them.

Phase: expand. On a large table building the indexes takes minutes; nothing else changes.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_consent_record_at", "consent_record", ["at", "id"]),
    ("ix_consent_record_event", "consent_record", ["event", "at", "id"]),
    ("ix_consent_record_client", "consent_record", ["client_id", "event", "at", "id"]),
    ("ix_consent_record_purpose", "consent_record", ["purpose_id", "event", "at", "id"]),
    ("ix_consent_record_notice", "consent_record", ["notice_hash", "event", "at", "id"]),
    ("ix_consent_lookup_staff", "consent_lookup", ["staff_id", "id"]),
    ("ix_consent_act_actor", "consent_act", ["actor", "id"]),
)


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _columns in reversed(INDEXES):
        op.drop_index(name, table_name=table)
