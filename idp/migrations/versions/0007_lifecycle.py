"""Contact changes, recovery, freezing and closing of accounts; which contact point is the main one; the last sign-in.

Phase: expand. The downgrade forgets changes, recoveries and closures under way; contact points added meanwhile stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: Of each kind the oldest confirmed contact point is the one that services were told so far.
_OLDEST_IS_MAIN = """
UPDATE accounts_contact_point SET is_main = true
WHERE verified_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM accounts_contact_point AS older
    WHERE older.resident_id = accounts_contact_point.resident_id
      AND older.kind = accounts_contact_point.kind
      AND older.verified_at IS NOT NULL
      AND (older.created_at < accounts_contact_point.created_at
        OR (older.created_at = accounts_contact_point.created_at AND older.id < accounts_contact_point.id)))
"""


def upgrade() -> None:
    op.add_column(
        "accounts_resident",
        sa.Column("signed_in_at", sa.BigInteger(), nullable=True, comment="When they signed in last. pii=no"),
    )
    op.create_index(op.f("ix_accounts_resident_signed_in_at"), "accounts_resident", ["signed_in_at"])
    op.add_column(
        "accounts_contact_point",
        sa.Column(
            "is_main",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether services are told this one of its kind. pii=no",
        ),
    )
    op.execute(_OLDEST_IS_MAIN)
    op.create_index(
        "uq_accounts_contact_point_main",
        "accounts_contact_point",
        ["resident_id", "kind"],
        unique=True,
        sqlite_where=sa.text("is_main"),
        postgresql_where=sa.text("is_main"),
    )
    op.create_table(
        "accounts_not_me_link",
        sa.Column("link_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose account. pii=no"),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="When the notice was written. pii=no"
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When the link ends. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was used. pii=no"),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_accounts_not_me_link")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_accounts_not_me_link_expires_at"), "accounts_not_me_link", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_accounts_not_me_link_resident_id"), "accounts_not_me_link", ["resident_id"], unique=False
    )
    op.create_table(
        "closing_closure",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose account. pii=no"),
        sa.Column("cause", sa.String(length=10), nullable=False, comment="asked or dormant. pii=no"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="announced, kept or closed. pii=no"),
        sa.Column("begun_at", sa.BigInteger(), nullable=False, comment="When it was announced. pii=no"),
        sa.Column(
            "reminds_at", sa.BigInteger(), nullable=False, comment="When its resident is told again. pii=no"
        ),
        sa.Column("reminded_at", sa.BigInteger(), nullable=True, comment="When they were. pii=no"),
        sa.Column("closes_at", sa.BigInteger(), nullable=False, comment="When the account ends. pii=no"),
        sa.Column(
            "ended_at", sa.BigInteger(), nullable=True, comment="When it was kept or closed for good. pii=no"
        ),
        sa.CheckConstraint(
            "(state = 'announced') = (ended_at IS NULL)", name=op.f("ck_closing_closure_ended")
        ),
        sa.CheckConstraint("cause IN ('asked', 'dormant')", name=op.f("ck_closing_closure_cause")),
        sa.CheckConstraint("state IN ('announced', 'kept', 'closed')", name=op.f("ck_closing_closure_state")),
        sa.CheckConstraint(
            "begun_at < reminds_at AND reminds_at < closes_at", name=op.f("ck_closing_closure_times")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closing_closure")),
    )
    op.create_index(
        "ix_closing_closure_due",
        "closing_closure",
        ["reminds_at"],
        unique=False,
        sqlite_where=sa.text("state = 'announced'"),
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.create_index(op.f("ix_closing_closure_resident_id"), "closing_closure", ["resident_id"], unique=False)
    op.create_index(
        "uq_closing_closure_open",
        "closing_closure",
        ["resident_id"],
        unique=True,
        sqlite_where=sa.text("state = 'announced'"),
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.create_table(
        "contacts_change",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose contact point. pii=no"),
        sa.Column("what", sa.String(length=10), nullable=False, comment="add, remove or sign_in. pii=no"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="email or phone. pii=no"),
        sa.Column(
            "contact_id",
            sa.String(length=22),
            nullable=True,
            comment="The contact point to be removed, or to sign in with. pii=no",
        ),
        sa.Column(
            "value",
            sa.LargeBinary(),
            nullable=True,
            comment="The new address or number, sealed for its resident. pii=yes",
        ),
        sa.Column(
            "link_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link that was sent. pii=no"
        ),
        sa.Column(
            "code_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="Keyed hash of the code that was sent. pii=no",
        ),
        sa.Column("tries", sa.Integer(), nullable=False, comment="How often a code was typed. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was asked for. pii=no"),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="When it happens. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it ended. pii=no"),
        sa.Column(
            "outcome", sa.String(length=10), nullable=True, comment="done, stopped or replaced. pii=no"
        ),
        sa.CheckConstraint("(what = 'add') = (due_at IS NULL)", name=op.f("ck_contacts_change_due")),
        sa.CheckConstraint("(what = 'add') = (value IS NOT NULL)", name=op.f("ck_contacts_change_value")),
        sa.CheckConstraint(
            "outcome IN ('done', 'stopped', 'replaced')", name=op.f("ck_contacts_change_outcome")
        ),
        sa.CheckConstraint("what IN ('add', 'remove', 'sign_in')", name=op.f("ck_contacts_change_what")),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_contacts_change_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts_change")),
        sa.UniqueConstraint("link_hash", name=op.f("uq_contacts_change_link_hash")),
    )
    op.create_index(op.f("ix_contacts_change_due_at"), "contacts_change", ["due_at"], unique=False)
    op.create_index(op.f("ix_contacts_change_expires_at"), "contacts_change", ["expires_at"], unique=False)
    op.create_index(op.f("ix_contacts_change_resident_id"), "contacts_change", ["resident_id"], unique=False)
    op.create_index(
        "uq_contacts_change_waiting",
        "contacts_change",
        ["resident_id"],
        unique=True,
        sqlite_where=sa.text("due_at IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL AND ended_at IS NULL"),
    )
    op.create_table(
        "recovery_case",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column(
            "handle_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the handle in the browser. pii=no",
        ),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column(
            "return_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the code to come back with. pii=no",
        ),
        sa.Column(
            "name",
            sa.LargeBinary(),
            nullable=True,
            comment="What was typed, sealed by the service; emptied once read. pii=yes",
        ),
        sa.Column("wish", sa.String(length=10), nullable=False, comment="message, letter or helper. pii=no"),
        sa.Column(
            "flow",
            sa.String(length=43),
            nullable=False,
            comment="Handle of the partner's request that waits, of use in that browser only. pii=no",
        ),
        sa.Column(
            "state", sa.String(length=10), nullable=False, comment="asked, open, done or stopped. pii=no"
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=True, comment="Whose account. pii=no"),
        sa.Column(
            "compare_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="Keyed hash of the digits that the trusted person is told. pii=no",
        ),
        sa.Column("compare_tries", sa.Integer(), nullable=False, comment="How often they were typed. pii=no"),
        sa.Column("helper_id", sa.String(length=22), nullable=True, comment="Who confirmed it. pii=yes"),
        sa.Column("mail_at", sa.BigInteger(), nullable=True, comment="When an address was proved. pii=no"),
        sa.Column("phone_at", sa.BigInteger(), nullable=True, comment="When a number was proved. pii=no"),
        sa.Column(
            "second_at",
            sa.BigInteger(),
            nullable=True,
            comment="When an enrolled second factor was proved. pii=no",
        ),
        sa.Column(
            "letter_at", sa.BigInteger(), nullable=True, comment="When the letter's code was typed. pii=no"
        ),
        sa.Column(
            "ripe_at",
            sa.BigInteger(),
            nullable=True,
            comment="From when on the trusted person's word counts. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was asked for. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it was done or stopped. pii=no"),
        sa.CheckConstraint(
            "state <> 'done' OR resident_id IS NOT NULL", name=op.f("ck_recovery_case_resident")
        ),
        sa.CheckConstraint(
            "state IN ('asked', 'open', 'done', 'stopped')", name=op.f("ck_recovery_case_state")
        ),
        sa.CheckConstraint("wish IN ('message', 'letter', 'helper')", name=op.f("ck_recovery_case_wish")),
        sa.CheckConstraint("(ripe_at IS NULL) = (helper_id IS NULL)", name=op.f("ck_recovery_case_helped")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_case")),
        sa.UniqueConstraint("handle_hash", name=op.f("uq_recovery_case_handle_hash")),
        sa.UniqueConstraint("return_hash", name=op.f("uq_recovery_case_return_hash")),
    )
    op.create_index(
        "ix_recovery_case_asked",
        "recovery_case",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("state = 'asked'"),
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_index(op.f("ix_recovery_case_expires_at"), "recovery_case", ["expires_at"], unique=False)
    op.create_index(op.f("ix_recovery_case_resident_id"), "recovery_case", ["resident_id"], unique=False)
    op.create_table(
        "recovery_helper",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who trusts. pii=yes"),
        sa.Column("helper_id", sa.String(length=22), nullable=True, comment="Whom. pii=yes"),
        sa.Column(
            "name",
            sa.LargeBinary(),
            nullable=False,
            comment="The name by which they were asked, sealed for who trusts. pii=yes",
        ),
        sa.Column("state", sa.String(length=10), nullable=False, comment="asked, accepted or ended. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When they were asked. pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it ended. pii=no"),
        sa.CheckConstraint(
            "state <> 'accepted' OR helper_id IS NOT NULL", name=op.f("ck_recovery_helper_accepted")
        ),
        sa.CheckConstraint("state IN ('asked', 'accepted', 'ended')", name=op.f("ck_recovery_helper_state")),
        sa.CheckConstraint("helper_id <> resident_id", name=op.f("ck_recovery_helper_another")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_helper")),
    )
    op.create_index(op.f("ix_recovery_helper_helper_id"), "recovery_helper", ["helper_id"], unique=False)
    op.create_index(op.f("ix_recovery_helper_resident_id"), "recovery_helper", ["resident_id"], unique=False)
    op.create_table(
        "recovery_token",
        sa.Column(
            "token_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the link or letter code. pii=no",
        ),
        sa.Column("case_id", sa.String(length=22), nullable=False, comment="In which case. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="For whom. pii=no"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="mail, phone or letter. pii=no"),
        sa.Column("contact_id", sa.String(length=22), nullable=True, comment="Where it was sent. pii=no"),
        sa.Column(
            "code_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="Keyed hash of the digits sent beside a link, or alone. pii=no",
        ),
        sa.Column("tries", sa.Integer(), nullable=False, comment="How often the digits were typed. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was made. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it is worth nothing. pii=no"),
        sa.Column(
            "spent_at",
            sa.BigInteger(),
            nullable=True,
            comment="When it was used, or replaced by a newer one. pii=no",
        ),
        sa.CheckConstraint(
            "(kind = 'letter') = (contact_id IS NULL)", name=op.f("ck_recovery_token_contact")
        ),
        sa.CheckConstraint("kind IN ('mail', 'phone', 'letter')", name=op.f("ck_recovery_token_kind")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_recovery_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_recovery_token_case_id"), "recovery_token", ["case_id"], unique=False)
    op.create_index(op.f("ix_recovery_token_expires_at"), "recovery_token", ["expires_at"], unique=False)
    op.create_index(op.f("ix_recovery_token_resident_id"), "recovery_token", ["resident_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_recovery_token_resident_id"), table_name="recovery_token")
    op.drop_index(op.f("ix_recovery_token_expires_at"), table_name="recovery_token")
    op.drop_index(op.f("ix_recovery_token_case_id"), table_name="recovery_token")
    op.drop_table("recovery_token")
    op.drop_index(op.f("ix_recovery_helper_resident_id"), table_name="recovery_helper")
    op.drop_index(op.f("ix_recovery_helper_helper_id"), table_name="recovery_helper")
    op.drop_table("recovery_helper")
    op.drop_index(op.f("ix_recovery_case_resident_id"), table_name="recovery_case")
    op.drop_index(op.f("ix_recovery_case_expires_at"), table_name="recovery_case")
    op.drop_index(
        "ix_recovery_case_asked",
        table_name="recovery_case",
        sqlite_where=sa.text("state = 'asked'"),
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.drop_table("recovery_case")
    op.drop_index(
        "uq_contacts_change_waiting",
        table_name="contacts_change",
        sqlite_where=sa.text("due_at IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL AND ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_contacts_change_resident_id"), table_name="contacts_change")
    op.drop_index(op.f("ix_contacts_change_expires_at"), table_name="contacts_change")
    op.drop_index(op.f("ix_contacts_change_due_at"), table_name="contacts_change")
    op.drop_table("contacts_change")
    op.drop_index(
        "uq_closing_closure_open",
        table_name="closing_closure",
        sqlite_where=sa.text("state = 'announced'"),
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.drop_index(op.f("ix_closing_closure_resident_id"), table_name="closing_closure")
    op.drop_index(
        "ix_closing_closure_due",
        table_name="closing_closure",
        sqlite_where=sa.text("state = 'announced'"),
        postgresql_where=sa.text("state = 'announced'"),
    )
    op.drop_table("closing_closure")
    op.drop_index(op.f("ix_accounts_not_me_link_resident_id"), table_name="accounts_not_me_link")
    op.drop_index(op.f("ix_accounts_not_me_link_expires_at"), table_name="accounts_not_me_link")
    op.drop_table("accounts_not_me_link")
    op.drop_index("uq_accounts_contact_point_main", table_name="accounts_contact_point")
    op.drop_column("accounts_contact_point", "is_main")
    op.drop_index(op.f("ix_accounts_resident_signed_in_at"), table_name="accounts_resident")
    op.drop_column("accounts_resident", "signed_in_at")
