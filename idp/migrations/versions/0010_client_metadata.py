"""Clients: profile, all other metadata, own registration; tokens: what they are bound to and for whom.

Phase: expand. Clients that are there become `standard` ones that were approved when they were registered. The
downgrade switches off every client that authenticates in a way which the older version does not know: it becomes a
client with a secret that nobody has.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_METHODS = (
    "token_endpoint_auth_method IN ('client_secret_basic', 'client_secret_jwt', 'client_secret_post', 'none', "
    "'private_key_jwt', 'self_signed_tls_client_auth', 'tls_client_auth')"
)
_OLD_METHODS = "token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post')"
_HASH_COMMENT = "SHA-256 of the 256-bit secret that it sends; NULL if it sends none. pii=no"
_OLD_HASH_COMMENT = "SHA-256 of the 256-bit secret; NULL for public clients. pii=no"
_OLD_RULE = "(token_endpoint_auth_method = 'none') = (secret_hash IS NULL)"


def upgrade() -> None:
    _more_of_clients()
    op.execute("UPDATE clients_client SET approved_at = created_at")
    op.create_table(
        "clients_initial_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token. pii=no"),
        sa.Column("partner_id", sa.String(length=22), nullable=False, comment="Whose clients. pii=no"),
        sa.Column(
            "profile", sa.String(length=20), nullable=False, comment="Profile of these clients. pii=no"
        ),
        sa.Column(
            "uses_left",
            sa.Integer(),
            nullable=False,
            comment="How many clients may yet be registered. pii=no",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="When it was made. pii=no"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="When it ends. pii=no"),
        sa.CheckConstraint("uses_left >= 0", name=op.f("ck_clients_initial_token_uses_left")),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["clients_partner.id"], name=op.f("fk_clients_initial_token_partner_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_clients_initial_token")),
    )
    for column in ("partner_id", "expires_at"):
        op.create_index(op.f(f"ix_clients_initial_token_{column}"), "clients_initial_token", [column])
    op.create_table(
        "oidc_used_once",
        sa.Column(
            "id_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of who used it and its jti. pii=no"
        ),
        sa.Column(
            "expires_at", sa.BigInteger(), nullable=False, comment="When it would be too old anyway. pii=no"
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_oidc_used_once")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_oidc_used_once_expires_at"), "oidc_used_once", ["expires_at"])
    _more_of_tokens()


def _more_of_clients() -> None:
    with op.batch_alter_table("clients_client") as batch:
        batch.add_column(
            sa.Column(
                "secret_sealed",
                sa.LargeBinary(),
                nullable=True,
                comment="The secret that it signs with, sealed; NULL if it signs with none. pii=no",
            )
        )
        batch.add_column(
            sa.Column(
                "profile",
                sa.String(length=20),
                server_default=sa.text("'standard'"),
                nullable=False,
                comment="Its security profile. pii=no",
            )
        )
        batch.add_column(
            sa.Column(
                "details",
                sa.JSON(),
                server_default=sa.text("'{}'"),
                nullable=False,
                comment="All other metadata, validated; RFC 7591 names. pii=no",
            )
        )
        batch.add_column(
            sa.Column(
                "registration_hash",
                sa.LargeBinary(),
                nullable=True,
                comment="SHA-256 of the token with which it changes its registration. pii=no",
            )
        )
        batch.add_column(
            sa.Column(
                "approved_at",
                sa.BigInteger(),
                nullable=True,
                comment="When it was approved; no personal data before. pii=no",
            )
        )
        batch.alter_column(
            "secret_hash", existing_type=sa.LargeBinary(), existing_nullable=True, comment=_HASH_COMMENT
        )
        batch.drop_constraint(op.f("ck_clients_client_auth_method"), type_="check")
        batch.drop_constraint(op.f("ck_clients_client_secret_unless_public"), type_="check")
        batch.create_check_constraint(op.f("ck_clients_client_auth_method"), _METHODS)
        batch.create_check_constraint(
            op.f("ck_clients_client_secret_hash"),
            "(token_endpoint_auth_method IN ('client_secret_basic', 'client_secret_post')) = "
            "(secret_hash IS NOT NULL)",
        )
        batch.create_check_constraint(
            op.f("ck_clients_client_secret_sealed"),
            "(token_endpoint_auth_method = 'client_secret_jwt') = (secret_sealed IS NOT NULL)",
        )
        batch.create_check_constraint(
            op.f("ck_clients_client_profile"), "profile IN ('fapi2', 'fapi2-signed', 'legacy', 'standard')"
        )


def _more_of_tokens() -> None:
    op.add_column(
        "oidc_authorization",
        sa.Column(
            "dpop_jkt",
            sa.String(length=43),
            nullable=True,
            comment="Thumbprint of the key to which the code is bound. pii=no",
        ),
    )
    op.add_column("oidc_authorization", _resource("API for which the tokens may be. pii=no"))
    op.add_column("oidc_access_token", _confirmation())
    op.add_column("oidc_access_token", _resource("API for which it is; NULL for ours. pii=no"))
    op.add_column("oidc_refresh_token", _confirmation())


def _confirmation() -> sa.Column[str]:
    return sa.Column(
        "confirmation",
        sa.String(length=60),
        nullable=True,
        comment="Key to which it is bound: method and thumbprint. pii=no",
    )


def _resource(comment: str) -> sa.Column[str]:
    return sa.Column("resource", sa.Text(), nullable=True, comment=comment)


def downgrade() -> None:
    op.drop_column("oidc_refresh_token", "confirmation")
    op.drop_column("oidc_access_token", "resource")
    op.drop_column("oidc_access_token", "confirmation")
    op.drop_column("oidc_authorization", "resource")
    op.drop_column("oidc_authorization", "dpop_jkt")
    op.drop_table("oidc_used_once")
    op.drop_table("clients_initial_token")
    with op.batch_alter_table("clients_client") as batch:
        for name in ("auth_method", "secret_hash", "secret_sealed", "profile"):
            batch.drop_constraint(op.f(f"ck_clients_client_{name}"), type_="check")
    unknown = f"NOT ({_OLD_METHODS})"
    op.execute(
        sa.text(
            "UPDATE clients_client SET token_endpoint_auth_method = 'client_secret_basic', "  # noqa: S608 - no input
            f"secret_hash = :nobodys, disabled_at = COALESCE(disabled_at, created_at) WHERE {unknown}"
        ).bindparams(sa.bindparam("nobodys", bytes(32), type_=sa.LargeBinary()))
    )
    with op.batch_alter_table("clients_client") as batch:
        for name in ("approved_at", "registration_hash", "details", "profile", "secret_sealed"):
            batch.drop_column(name)
        batch.alter_column(
            "secret_hash", existing_type=sa.LargeBinary(), existing_nullable=True, comment=_OLD_HASH_COMMENT
        )
        batch.create_check_constraint(op.f("ck_clients_client_auth_method"), _OLD_METHODS)
        batch.create_check_constraint(op.f("ck_clients_client_secret_unless_public"), _OLD_RULE)
