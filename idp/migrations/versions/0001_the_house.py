"""The first tables of all four packages, and the triggers that keep history as it was written.

Phase: expand. The downgrade removes everything.
"""

import sqlalchemy as sa
from alembic import op

from consent.triggers import append_only_ddl, drop_append_only_ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys_service_key",
        sa.Column("name", sa.Text(), nullable=False, comment="What the key is for; pii=no"),
        sa.Column("key_id", sa.Text(), nullable=False, comment="Id of the key file that wraps it; pii=no"),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            nullable=False,
            comment="The key, wrapped by the key file's key; pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="Unix seconds; pii=no"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_keys_service_key")),
    )
    op.create_table(
        "keys_signing_key",
        sa.Column("kid", sa.Text(), nullable=False, comment="RFC 7638 thumbprint; pii=no"),
        sa.Column("alg", sa.Text(), nullable=False, comment="JWS algorithm, such as ES256; pii=no"),
        sa.Column("use", sa.Text(), nullable=False, comment="What it signs: tokens or log; pii=no"),
        sa.Column("state", sa.Text(), nullable=False, comment="next, current, previous or retired; pii=no"),
        sa.Column(
            "public_jwk",
            sa.Text(),
            nullable=False,
            comment="Public key as published, JSON (RFC 7517); pii=no",
        ),
        sa.Column(
            "private_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="Private key, PKCS 8 PEM, sealed; destroyed once it no longer signs; pii=no",
        ),
        sa.Column(
            "created_at", sa.BigInteger(), nullable=False, comment="Made and published, Unix seconds; pii=no"
        ),
        sa.Column(
            "activated_at", sa.BigInteger(), nullable=True, comment="Signs since, Unix seconds; pii=no"
        ),
        sa.Column(
            "demoted_at", sa.BigInteger(), nullable=True, comment="Signs no more since, Unix seconds; pii=no"
        ),
        sa.Column(
            "retired_at", sa.BigInteger(), nullable=True, comment="Unpublished since, Unix seconds; pii=no"
        ),
        sa.CheckConstraint(
            "(state = 'retired') = (retired_at IS NOT NULL)", name=op.f("ck_keys_signing_key_retired")
        ),
        sa.CheckConstraint(
            "(state IN ('next', 'current')) = (private_sealed IS NOT NULL)",
            name=op.f("ck_keys_signing_key_private_while_signing"),
        ),
        sa.CheckConstraint(
            "state <> 'next' OR activated_at IS NULL", name=op.f("ck_keys_signing_key_next_has_not_signed")
        ),
        sa.CheckConstraint(
            "state <> 'previous' OR demoted_at IS NOT NULL", name=op.f("ck_keys_signing_key_demoted")
        ),
        sa.CheckConstraint(
            "state IN ('next', 'current', 'previous', 'retired')", name=op.f("ck_keys_signing_key_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('current', 'previous') OR activated_at IS NOT NULL",
            name=op.f("ck_keys_signing_key_activated"),
        ),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_keys_signing_key")),
    )
    op.create_index(
        "uq_keys_signing_key_current",
        "keys_signing_key",
        ["use", "alg"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.create_index(
        "uq_keys_signing_key_next",
        "keys_signing_key",
        ["use", "alg"],
        unique=True,
        sqlite_where=sa.text("state = 'next'"),
        postgresql_where=sa.text("state = 'next'"),
    )
    op.create_table(
        "consent_log_checkpoint",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False, comment="pii=no"),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False, comment="root hash of the tree; pii=no"),
        sa.Column("note", sa.Text(), nullable=False, comment="the signed note; pii=no"),
        sa.Column(
            "frontier",
            sa.LargeBinary(),
            nullable=False,
            comment="hashes of its perfect subtrees, largest first; pii=no",
        ),
        sa.Column(
            "settled_id",
            sa.BigInteger(),
            nullable=False,
            comment="every entry up to this id has its leaf; pii=no",
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.PrimaryKeyConstraint("tree_size"),
    )
    op.create_table(
        "consent_log_entry",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="uid of the row; pii=no"),
        sa.Column("kind", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column(
            "hour", sa.BigInteger(), nullable=False, comment="Unix seconds at the start of the hour; pii=no"
        ),
        sa.Column(
            "commitment", sa.LargeBinary(length=32), nullable=False, comment="keyed, unreadable alone; pii=no"
        ),
        sa.Column("ref_table", sa.Text(), nullable=False, comment="table of the row; pii=no"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.CheckConstraint("length(kind) BETWEEN 1 AND 40", name="ck_consent_log_entry_kind"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_table(
        "consent_log_leaf",
        sa.Column(
            "leaf_index", sa.BigInteger(), autoincrement=False, nullable=False, comment="0, 1, …; pii=no"
        ),
        sa.Column("entry_id", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False, comment="RFC 9162 §2.1.1; pii=no"),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("entry_id"),
    )
    op.create_table(
        "consent_lookup",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column("staff_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("staff_role", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column(
            "resident_id",
            sa.Text(),
            nullable=False,
            comment="a pseudonym once the account is erased; pii=yes",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="shown to the resident; pii=yes"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.CheckConstraint("length(reason) > 0", name="ck_consent_lookup_reason"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index("ix_consent_lookup_resident", "consent_lookup", ["resident_id", "id"], unique=False)
    op.create_table(
        "consent_purpose",
        sa.Column("id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("key", sa.Text(), nullable=False, comment="the partner's short name for it; pii=no"),
        sa.Column("basis", sa.Text(), nullable=False, comment="GDPR Art. 6(1); pii=no"),
        sa.Column("required_claims", sa.Text(), nullable=False, comment="JSON list of claim names; pii=no"),
        sa.Column("optional_claims", sa.Text(), nullable=False, comment="JSON list of claim names; pii=no"),
        sa.Column("minimum_level", sa.Text(), nullable=False, comment="level of identity; pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.Column("retention_for", sa.BigInteger(), nullable=True, comment="seconds; pii=no"),
        sa.Column("subject_sector", sa.Text(), nullable=True, comment="null: a pairwise sub; pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="set once; pii=no"),
        sa.Column(
            "ended_uid", sa.LargeBinary(length=16), nullable=True, comment="the end's name in the log; pii=no"
        ),
        sa.CheckConstraint(
            "basis IN ('consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests')",
            name="ck_consent_purpose_basis",
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_uid IS NULL)", name="ck_consent_purpose_ended"),
        sa.CheckConstraint("retention_for IS NULL OR retention_for > 0", name="ck_consent_purpose_retention"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "key", name="uq_consent_purpose_client_key"),
        sa.UniqueConstraint("ended_uid"),
        sa.UniqueConstraint("uid"),
    )
    op.create_table(
        "consent_release",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column(
            "resident_id",
            sa.Text(),
            nullable=False,
            comment="a pseudonym once the account is erased; pii=yes",
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("kind", sa.Text(), nullable=False, comment="the answer that carried it; pii=no"),
        sa.Column(
            "claims", sa.Text(), nullable=False, comment="JSON list of claim names, never values; pii=yes"
        ),
        sa.Column("purpose_ids", sa.Text(), nullable=False, comment="JSON list; pii=yes"),
        sa.Column(
            "authorization_id", sa.Text(), nullable=False, comment="the grant it happened under; pii=yes"
        ),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.CheckConstraint(
            "kind IN ('id_token', 'userinfo', 'introspection')", name="ck_consent_release_kind"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index(
        "ix_consent_release_resident", "consent_release", ["resident_id", "client_id", "id"], unique=False
    )
    op.create_table(
        "consent_notice",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column("purpose_id", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, …; pii=no"),
        sa.Column("language", sa.Text(), nullable=False, comment="BCP 47; pii=no"),
        sa.Column("material", sa.Boolean(), nullable=False, comment="residents must choose again; pii=no"),
        sa.Column("title", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("why", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("retention_text", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("recipients", sa.Text(), nullable=False, comment="pii=no"),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False, comment="of the text; pii=no"),
        sa.Column("published_at", sa.BigInteger(), nullable=False, comment="pii=no"),
        sa.CheckConstraint("version > 1 OR material", name="ck_consent_notice_first_is_material"),
        sa.CheckConstraint("version >= 1", name="ck_consent_notice_version"),
        sa.ForeignKeyConstraint(
            ["purpose_id"],
            ["consent_purpose.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("body_hash"),
        sa.UniqueConstraint("purpose_id", "version", "language", name="uq_consent_notice_version"),
        sa.UniqueConstraint("uid"),
    )
    op.create_table(
        "consent_record",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
            comment="pii=no",
        ),
        sa.Column("uid", sa.LargeBinary(length=16), nullable=False, comment="its name in the log; pii=no"),
        sa.Column(
            "resident_id",
            sa.Text(),
            nullable=False,
            comment="a pseudonym once the account is erased; pii=yes",
        ),
        sa.Column("client_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("purpose_id", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("event", sa.Text(), nullable=False, comment="pii=yes"),
        sa.Column("claims_offered", sa.Text(), nullable=False, comment="JSON list of claim names; pii=yes"),
        sa.Column("claims_chosen", sa.Text(), nullable=False, comment="JSON list of claim names; pii=yes"),
        sa.Column(
            "notice_hash", sa.LargeBinary(length=32), nullable=False, comment="what the person read; pii=no"
        ),
        sa.Column("language", sa.Text(), nullable=False, comment="in which language; pii=yes"),
        sa.Column("control", sa.Text(), nullable=False, comment="which button, form or desk; pii=no"),
        sa.Column("authentication", sa.Text(), nullable=False, comment="JSON: acr, amr, auth_time; pii=yes"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who expressed it: self, …; pii=yes"),
        sa.Column("at", sa.BigInteger(), nullable=False, comment="pii=yes"),
        sa.CheckConstraint(
            "event IN ('requested', 'given', 'narrowed', 'refused', 'renewed', 'expired', 'withdrawn', 'revoked', 'invalidated', 'superseded', 'informed')",
            name="ck_consent_record_event",
        ),
        sa.ForeignKeyConstraint(
            ["notice_hash"],
            ["consent_notice.body_hash"],
        ),
        sa.ForeignKeyConstraint(
            ["purpose_id"],
            ["consent_purpose.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
    )
    op.create_index(
        "ix_consent_record_resident", "consent_record", ["resident_id", "client_id", "id"], unique=False
    )
    op.create_table(
        "accounts_resident",
        sa.Column(
            "id", sa.String(length=22), nullable=False, comment="Random id, never shown to partners. pii=no"
        ),
        sa.Column("state", sa.String(length=10), nullable=False, comment="active, frozen or closed. pii=no"),
        sa.Column(
            "data_key",
            sa.LargeBinary(),
            nullable=True,
            comment="The resident's data key, wrapped; NULL once destroyed. pii=no",
        ),
        sa.Column(
            "username_index",
            sa.LargeBinary(),
            nullable=True,
            comment="Blind index of the chosen user name. pii=no",
        ),
        sa.Column("language", sa.String(length=8), nullable=False, comment="Language of messages. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the account began. pii=no"),
        sa.Column(
            "changed_at", sa.BigInteger(), nullable=False, comment="When an attribute changed last. pii=no"
        ),
        sa.CheckConstraint(
            "state IN ('active', 'frozen', 'closed')", name=op.f("ck_accounts_resident_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_resident")),
        sa.UniqueConstraint("username_index", name=op.f("uq_accounts_resident_username_index")),
    )
    op.create_table(
        "clients_partner",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("name", sa.String(length=120), nullable=False, comment="Name as residents know it. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was added. pii=no"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients_partner")),
        sa.UniqueConstraint("name", name=op.f("uq_clients_partner_name")),
    )
    op.create_table(
        "jobs_lease",
        sa.Column("name", sa.String(length=40), nullable=False, comment="Which job. pii=no"),
        sa.Column(
            "holder", sa.String(length=22), nullable=False, comment="Which process, by a random name. pii=no"
        ),
        sa.Column("until_at", sa.BigInteger(), nullable=False, comment="When the right ends. pii=no"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs_lease")),
    )
    op.create_table(
        "jobs_stamp",
        sa.Column("name", sa.String(length=40), nullable=False, comment="What is cached. pii=no"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="Rises with every change. pii=no"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_jobs_stamp")),
    )
    op.create_table(
        "login_budget",
        sa.Column("bucket", sa.String(length=90), nullable=False, comment="What is counted, hashed. pii=no"),
        sa.Column("window_at", sa.BigInteger(), nullable=False, comment="Start of the window. pii=no"),
        sa.Column("used", sa.Integer(), nullable=False, comment="Guesses in the window. pii=no"),
        sa.CheckConstraint("used >= 0", name=op.f("ck_login_budget_used")),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_login_budget")),
    )
    op.create_table(
        "login_password",
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose password. pii=no"),
        sa.Column("hash", sa.String(length=200), nullable=False, comment="Encoded Argon2id hash. pii=no"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="When it was set. pii=no"),
        sa.PrimaryKeyConstraint("resident_id", name=op.f("pk_login_password")),
    )
    op.create_table(
        "login_session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie. pii=no"),
        sa.Column(
            "sid", sa.String(length=22), nullable=False, comment="Public name of the session (sid). pii=no"
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who is signed in. pii=no"),
        sa.Column(
            "authenticated_at",
            sa.BigInteger(),
            nullable=False,
            comment="When they proved it last (auth_time). pii=no",
        ),
        sa.Column(
            "acr", sa.String(length=40), nullable=False, comment="Level proved in this session. pii=no"
        ),
        sa.Column(
            "amr",
            sa.String(length=80),
            nullable=False,
            comment="Methods used, space-separated (RFC 8176). pii=no",
        ),
        sa.Column(
            "device",
            sa.String(length=120),
            nullable=False,
            comment="Browser and system, in few words. pii=yes",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the session began. pii=no"),
        sa.Column(
            "seen_at", sa.BigInteger(), nullable=False, comment="When it was used last, to the minute. pii=no"
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends in any case. pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it was ended. pii=no"),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_login_session")),
        sa.UniqueConstraint("sid", name=op.f("uq_login_session_sid")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_login_session_expires_at"), "login_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_login_session_resident_id"), "login_session", ["resident_id"], unique=False)
    op.create_table(
        "messaging_outbox",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column(
            "name", sa.String(length=40), nullable=False, comment="Which message, a folder of texts. pii=no"
        ),
        sa.Column(
            "state", sa.String(length=10), nullable=False, comment="waiting, sent, expired or dead. pii=no"
        ),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=True,
            comment="Recipient, subject and text, sealed by the service. pii=yes",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was caused. pii=no"),
        sa.Column("due_at", sa.BigInteger(), nullable=False, comment="When it is tried next. pii=no"),
        sa.Column(
            "expires_at",
            sa.BigInteger(),
            nullable=False,
            comment="After this it is not sent any more. pii=no",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="How often it was tried. pii=no"),
        sa.Column(
            "finished_at", sa.BigInteger(), nullable=True, comment="When it was sent or given up. pii=no"
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'expired', 'dead')", name=op.f("ck_messaging_outbox_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messaging_outbox")),
    )
    op.create_index(
        "ix_messaging_outbox_due",
        "messaging_outbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "oidc_access_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token. pii=no"),
        sa.Column("authorization_id", sa.BigInteger(), nullable=True, comment="Its family. pii=no"),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Who holds it. pii=no"),
        sa.Column("scope", sa.Text(), nullable=False, comment="Scopes, space-separated. pii=no"),
        sa.Column("issued_at", sa.BigInteger(), nullable=False, comment="When it was made. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends. pii=no"),
        sa.Column(
            "released_at",
            sa.BigInteger(),
            nullable=True,
            comment="When it was first used to read userinfo. pii=no",
        ),
        sa.Column(
            "revoked_at", sa.BigInteger(), nullable=True, comment="When it was revoked by itself. pii=no"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oidc_access_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_oidc_access_token_expires_at"), "oidc_access_token", ["expires_at"], unique=False
    )
    op.create_table(
        "oidc_grant",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who authorised. pii=no"),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Whom. pii=no"),
        sa.Column(
            "subject", sa.String(length=255), nullable=False, comment="The sub this client knows. pii=yes"
        ),
        sa.Column("scope", sa.Text(), nullable=False, comment="Scopes authorised, space-separated. pii=no"),
        sa.Column(
            "claims",
            sa.Text(),
            nullable=False,
            comment="Claims that may be released, space-separated. pii=no",
        ),
        sa.Column(
            "decided_claims",
            sa.Text(),
            nullable=False,
            comment="Claims that were asked about, given or refused, space-separated. pii=no",
        ),
        sa.Column(
            "purposes", sa.Text(), nullable=False, comment="Purposes that cover them, space-separated. pii=no"
        ),
        sa.Column(
            "notices_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="Which notices were decided upon. pii=no",
        ),
        sa.Column("granted_at", sa.BigInteger(), nullable=False, comment="When it was decided last. pii=no"),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True, comment="When it ended. pii=no"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_grant")),
    )
    op.create_index(op.f("ix_oidc_grant_client_id"), "oidc_grant", ["client_id"], unique=False)
    op.create_index(op.f("ix_oidc_grant_resident_id"), "oidc_grant", ["resident_id"], unique=False)
    op.create_index(
        "uq_oidc_grant_live",
        "oidc_grant",
        ["resident_id", "client_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "oidc_interaction",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the handle. pii=no"),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the browser's cookie. pii=no",
        ),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Who asks. pii=no"),
        sa.Column(
            "request",
            sa.Text(),
            nullable=False,
            comment="The validated request as JSON; login_hint left out. pii=no",
        ),
        sa.Column("login_hint", sa.LargeBinary(), nullable=True, comment="The sealed login_hint. pii=yes"),
        sa.Column(
            "signed_in_at",
            sa.BigInteger(),
            nullable=True,
            comment="When the resident signed in for this very request. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it began. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends. pii=no"),
        sa.Column("finished_at", sa.BigInteger(), nullable=True, comment="When it was answered. pii=no"),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_oidc_interaction")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_oidc_interaction_expires_at"), "oidc_interaction", ["expires_at"], unique=False)
    op.create_table(
        "oidc_refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token. pii=no"),
        sa.Column("authorization_id", sa.BigInteger(), nullable=False, comment="Its family. pii=no"),
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="Who holds it. pii=no"),
        sa.Column("scope", sa.Text(), nullable=False, comment="Scopes, space-separated. pii=no"),
        sa.Column("issued_at", sa.BigInteger(), nullable=False, comment="When it was made. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was used. pii=no"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_oidc_refresh_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_oidc_refresh_token_expires_at"), "oidc_refresh_token", ["expires_at"], unique=False
    )
    op.create_table(
        "signup_link",
        sa.Column("link_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link. pii=no"),
        sa.Column(
            "email", sa.LargeBinary(), nullable=False, comment="The address, sealed by the service. pii=yes"
        ),
        sa.Column("email_index", sa.LargeBinary(), nullable=False, comment="Blind index of it. pii=no"),
        sa.Column("language", sa.String(length=8), nullable=False, comment="Language of the pages. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was asked for. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When the link ends. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When it was used. pii=no"),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_signup_link")),
    )
    op.create_index(op.f("ix_signup_link_email_index"), "signup_link", ["email_index"], unique=False)
    op.create_index(op.f("ix_signup_link_expires_at"), "signup_link", ["expires_at"], unique=False)
    op.create_table(
        "accounts_attribute",
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose attribute. pii=no"),
        sa.Column(
            "name", sa.String(length=40), nullable=False, comment="Claim name, such as given_name. pii=no"
        ),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="JSON value, sealed. pii=yes"),
        sa.Column(
            "source", sa.String(length=20), nullable=False, comment="self, mail, desk or register. pii=no"
        ),
        sa.Column(
            "verified_at", sa.BigInteger(), nullable=True, comment="When it was verified, if it was. pii=no"
        ),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="When it was set. pii=no"),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["accounts_resident.id"], name=op.f("fk_accounts_attribute_resident_id")
        ),
        sa.PrimaryKeyConstraint("resident_id", "name", name=op.f("pk_accounts_attribute")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "accounts_contact_point",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Who is reached. pii=no"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="email or phone. pii=no"),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="The address, sealed. pii=yes"),
        sa.Column(
            "value_index", sa.LargeBinary(), nullable=False, comment="Blind index of the normal form. pii=no"
        ),
        sa.Column(
            "signs_in", sa.Boolean(), nullable=False, comment="Whether it works as a user name. pii=no"
        ),
        sa.Column("verified_at", sa.BigInteger(), nullable=True, comment="When it was confirmed. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was given. pii=no"),
        sa.CheckConstraint("kind IN ('email', 'phone')", name=op.f("ck_accounts_contact_point_kind")),
        sa.ForeignKeyConstraint(
            ["resident_id"], ["accounts_resident.id"], name=op.f("fk_accounts_contact_point_resident_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts_contact_point")),
    )
    op.create_index(
        op.f("ix_accounts_contact_point_resident_id"), "accounts_contact_point", ["resident_id"], unique=False
    )
    op.create_index(
        "ix_accounts_contact_point_value", "accounts_contact_point", ["kind", "value_index"], unique=False
    )
    op.create_index(
        "uq_accounts_contact_point_signs_in",
        "accounts_contact_point",
        ["kind", "value_index"],
        unique=True,
        sqlite_where=sa.text("signs_in"),
        postgresql_where=sa.text("signs_in"),
    )
    op.create_table(
        "clients_client",
        sa.Column("client_id", sa.String(length=64), nullable=False, comment="The client_id. pii=no"),
        sa.Column("partner_id", sa.String(length=22), nullable=False, comment="Whose client. pii=no"),
        sa.Column("name", sa.String(length=120), nullable=False, comment="Name as residents know it. pii=no"),
        sa.Column(
            "application_type",
            sa.String(length=10),
            nullable=False,
            comment="web or native (loopback ports vary). pii=no",
        ),
        sa.Column(
            "token_endpoint_auth_method",
            sa.String(length=30),
            nullable=False,
            comment="Its one method. pii=no",
        ),
        sa.Column(
            "secret_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the 256-bit secret; NULL for public clients. pii=no",
        ),
        sa.Column(
            "redirect_uris", sa.JSON(), nullable=False, comment="Registered, compared byte by byte. pii=no"
        ),
        sa.Column(
            "post_logout_redirect_uris", sa.JSON(), nullable=False, comment="Registered likewise. pii=no"
        ),
        sa.Column("grant_types", sa.JSON(), nullable=False, comment="Grants it may use. pii=no"),
        sa.Column("scopes", sa.JSON(), nullable=False, comment="Scopes it may ask for. pii=no"),
        sa.Column(
            "protects_scopes",
            sa.JSON(),
            nullable=False,
            comment="Scopes it is the resource server of: it may introspect tokens with them. pii=no",
        ),
        sa.Column(
            "id_token_signed_response_alg",
            sa.String(length=10),
            nullable=False,
            comment="RS256 or ES256. pii=no",
        ),
        sa.Column(
            "home_url",
            sa.Text(),
            nullable=False,
            comment="Where residents find the service; may be empty. pii=no",
        ),
        sa.Column(
            "is_pairwise", sa.Boolean(), nullable=False, comment="Whether sub differs per sector. pii=no"
        ),
        sa.Column(
            "sector", sa.String(length=255), nullable=False, comment="Sector of pairwise subjects. pii=no"
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was registered. pii=no"),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True, comment="When it was switched off. pii=no"),
        sa.CheckConstraint(
            "(token_endpoint_auth_method = 'none') = (secret_hash IS NULL)",
            name=op.f("ck_clients_client_secret_unless_public"),
        ),
        sa.CheckConstraint(
            "application_type IN ('web', 'native')", name=op.f("ck_clients_client_application_type")
        ),
        sa.CheckConstraint(
            "token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post')",
            name=op.f("ck_clients_client_auth_method"),
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["clients_partner.id"], name=op.f("fk_clients_client_partner_id")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_clients_client")),
    )
    op.create_index(op.f("ix_clients_client_partner_id"), "clients_client", ["partner_id"], unique=False)
    op.create_table(
        "oidc_authorization",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="Serial number. pii=no",
        ),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the code. pii=no"),
        sa.Column("grant_id", sa.String(length=22), nullable=False, comment="Under which grant. pii=no"),
        sa.Column(
            "client_id", sa.String(length=64), nullable=False, comment="To whom the code was given. pii=no"
        ),
        sa.Column("session_hash", sa.LargeBinary(), nullable=False, comment="In which session. pii=no"),
        sa.Column("sid", sa.String(length=22), nullable=False, comment="The session's public name. pii=no"),
        sa.Column("redirect_uri", sa.Text(), nullable=False, comment="Where the code was sent. pii=no"),
        sa.Column(
            "scope", sa.Text(), nullable=False, comment="Scopes of this family, space-separated. pii=no"
        ),
        sa.Column("nonce", sa.Text(), nullable=True, comment="The nonce, echoed in ID tokens. pii=no"),
        sa.Column(
            "code_challenge", sa.String(length=43), nullable=False, comment="PKCE S256 challenge. pii=no"
        ),
        sa.Column(
            "auth_time",
            sa.BigInteger(),
            nullable=False,
            comment="When the resident proved who they are. pii=no",
        ),
        sa.Column("acr", sa.String(length=40), nullable=False, comment="Level proved. pii=no"),
        sa.Column("amr", sa.String(length=80), nullable=False, comment="Methods used. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the code was made. pii=no"),
        sa.Column("code_expires_at", sa.BigInteger(), nullable=False, comment="When the code ends. pii=no"),
        sa.Column("spent_at", sa.BigInteger(), nullable=True, comment="When the code was redeemed. pii=no"),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True, comment="When the family was killed. pii=no"),
        sa.Column(
            "expires_at", sa.BigInteger(), nullable=False, comment="When nothing of it lives any more. pii=no"
        ),
        sa.ForeignKeyConstraint(["grant_id"], ["oidc_grant.id"], name=op.f("fk_oidc_authorization_grant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oidc_authorization")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_oidc_authorization_code_hash")),
    )
    op.create_index(
        op.f("ix_oidc_authorization_expires_at"), "oidc_authorization", ["expires_at"], unique=False
    )
    op.create_index(op.f("ix_oidc_authorization_grant_id"), "oidc_authorization", ["grant_id"], unique=False)
    op.create_table(
        "admin_open_file",
        sa.Column(
            "reference",
            sa.String(length=22),
            nullable=False,
            comment="Random name of the file in addresses. pii=no",
        ),
        sa.Column(
            "session_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="The staff session that opened it; no other may read. pii=no",
        ),
        sa.Column("resident_id", sa.String(length=22), nullable=False, comment="Whose file. pii=yes"),
        sa.Column("reason", sa.String(length=500), nullable=False, comment="Why it was opened. pii=yes"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False, comment="When it was opened. pii=no"),
        sa.Column(
            "expires_at", sa.BigInteger(), nullable=False, comment="When a new reason must be given. pii=no"
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_admin_open_file")),
    )
    op.create_index(op.f("ix_admin_open_file_expires_at"), "admin_open_file", ["expires_at"], unique=False)
    op.create_table(
        "admin_staff",
        sa.Column("id", sa.String(length=22), nullable=False, comment="Random id. pii=no"),
        sa.Column(
            "username", sa.String(length=40), nullable=False, comment="Work name they sign in with. pii=yes"
        ),
        sa.Column("role", sa.String(length=10), nullable=False, comment="clerk, officer or operator. pii=no"),
        sa.Column(
            "password_hash", sa.String(length=200), nullable=False, comment="Encoded Argon2id hash. pii=no"
        ),
        sa.Column(
            "totp_secret", sa.LargeBinary(), nullable=False, comment="160-bit TOTP seed, sealed. pii=no"
        ),
        sa.Column(
            "totp_step",
            sa.BigInteger(),
            nullable=False,
            comment="Last time step used; later ones only. pii=no",
        ),
        sa.Column(
            "code_failures",
            sa.Integer(),
            nullable=False,
            comment="Codes tried since one was right, each counted before it is looked at. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When the account was made. pii=no"),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True, comment="When it was switched off. pii=no"),
        sa.CheckConstraint("role IN ('clerk', 'officer', 'operator')", name=op.f("ck_admin_staff_role")),
        sa.CheckConstraint("code_failures >= 0", name=op.f("ck_admin_staff_code_failures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_staff")),
        sa.UniqueConstraint("username", name=op.f("uq_admin_staff_username")),
    )
    op.create_table(
        "admin_session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie. pii=no"),
        sa.Column("staff_id", sa.String(length=22), nullable=False, comment="Who. pii=no"),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it began. pii=no"),
        sa.Column(
            "seen_at", sa.BigInteger(), nullable=False, comment="When it was used last, to the minute. pii=no"
        ),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends in any case. pii=no"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True, comment="When it was ended. pii=no"),
        sa.ForeignKeyConstraint(["staff_id"], ["admin_staff.id"], name=op.f("fk_admin_session_staff_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_admin_session")),
    )
    op.create_index(op.f("ix_admin_session_expires_at"), "admin_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_admin_session_staff_id"), "admin_session", ["staff_id"], unique=False)
    for statement in append_only_ddl(op.get_bind().dialect.name):
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    for statement in drop_append_only_ddl(op.get_bind().dialect.name):
        op.execute(sa.text(statement.replace(":", "\\:")))
    op.drop_index(op.f("ix_admin_session_staff_id"), table_name="admin_session")
    op.drop_index(op.f("ix_admin_session_expires_at"), table_name="admin_session")
    op.drop_table("admin_session")
    op.drop_table("admin_staff")
    op.drop_index(op.f("ix_admin_open_file_expires_at"), table_name="admin_open_file")
    op.drop_table("admin_open_file")
    op.drop_index(op.f("ix_oidc_authorization_grant_id"), table_name="oidc_authorization")
    op.drop_index(op.f("ix_oidc_authorization_expires_at"), table_name="oidc_authorization")
    op.drop_table("oidc_authorization")
    op.drop_index(op.f("ix_clients_client_partner_id"), table_name="clients_client")
    op.drop_table("clients_client")
    op.drop_index(
        "uq_accounts_contact_point_signs_in",
        table_name="accounts_contact_point",
        sqlite_where=sa.text("signs_in"),
        postgresql_where=sa.text("signs_in"),
    )
    op.drop_index("ix_accounts_contact_point_value", table_name="accounts_contact_point")
    op.drop_index(op.f("ix_accounts_contact_point_resident_id"), table_name="accounts_contact_point")
    op.drop_table("accounts_contact_point")
    op.drop_table("accounts_attribute")
    op.drop_index(op.f("ix_signup_link_expires_at"), table_name="signup_link")
    op.drop_index(op.f("ix_signup_link_email_index"), table_name="signup_link")
    op.drop_table("signup_link")
    op.drop_index(op.f("ix_oidc_refresh_token_expires_at"), table_name="oidc_refresh_token")
    op.drop_table("oidc_refresh_token")
    op.drop_index(op.f("ix_oidc_interaction_expires_at"), table_name="oidc_interaction")
    op.drop_table("oidc_interaction")
    op.drop_index(
        "uq_oidc_grant_live",
        table_name="oidc_grant",
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.drop_index(op.f("ix_oidc_grant_resident_id"), table_name="oidc_grant")
    op.drop_index(op.f("ix_oidc_grant_client_id"), table_name="oidc_grant")
    op.drop_table("oidc_grant")
    op.drop_index(op.f("ix_oidc_access_token_expires_at"), table_name="oidc_access_token")
    op.drop_table("oidc_access_token")
    op.drop_index(
        "ix_messaging_outbox_due",
        table_name="messaging_outbox",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_table("messaging_outbox")
    op.drop_index(op.f("ix_login_session_resident_id"), table_name="login_session")
    op.drop_index(op.f("ix_login_session_expires_at"), table_name="login_session")
    op.drop_table("login_session")
    op.drop_table("login_password")
    op.drop_table("login_budget")
    op.drop_table("jobs_stamp")
    op.drop_table("jobs_lease")
    op.drop_table("clients_partner")
    op.drop_table("accounts_resident")
    op.drop_index("ix_consent_record_resident", table_name="consent_record")
    op.drop_table("consent_record")
    op.drop_table("consent_notice")
    op.drop_index("ix_consent_release_resident", table_name="consent_release")
    op.drop_table("consent_release")
    op.drop_table("consent_purpose")
    op.drop_index("ix_consent_lookup_resident", table_name="consent_lookup")
    op.drop_table("consent_lookup")
    op.drop_table("consent_log_leaf")
    op.drop_table("consent_log_entry")
    op.drop_table("consent_log_checkpoint")
    op.drop_index(
        "uq_keys_signing_key_next",
        table_name="keys_signing_key",
        sqlite_where=sa.text("state = 'next'"),
        postgresql_where=sa.text("state = 'next'"),
    )
    op.drop_index(
        "uq_keys_signing_key_current",
        table_name="keys_signing_key",
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.drop_table("keys_signing_key")
    op.drop_table("keys_service_key")
