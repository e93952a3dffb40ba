"""Sessions: their place and whether others share the computer; clients: the level of sign-in that they demand.

Phase: expand. What is added has a value for the rows that are there: no place, no shared computer, level basic.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "login_session",
        sa.Column(
            "place",
            sa.LargeBinary(),
            nullable=True,
            comment="Block of addresses it began in, sealed under the resident's key. pii=yes",
        ),
    )
    op.add_column("login_session", _is_shared("Whether on a shared computer: short limits. pii=no"))
    op.create_index(
        "ix_login_session_unused",
        "login_session",
        ["seen_at"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("login_attempt", _is_shared("Whether on a shared computer. pii=no"))
    op.add_column(
        "oidc_interaction",
        sa.Column(
            "confirmed_sid",
            sa.String(length=22),
            nullable=True,
            comment="Session in which the resident said to go on as themselves. pii=no",
        ),
    )
    op.add_column(
        "oidc_interaction",
        sa.Column(
            "keeps_level",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="Whether they go on without the level that the partner would like. pii=no",
        ),
    )
    with op.batch_alter_table("clients_client") as batch:
        for column in _demands():
            batch.add_column(column)
        batch.create_check_constraint(
            op.f("ck_clients_client_minimum_acr"), "minimum_acr IN ('basic', 'strong', 'phr')"
        )
        batch.create_check_constraint(op.f("ck_clients_client_default_max_age"), "default_max_age >= 0")


def _is_shared(comment: str) -> sa.Column[bool]:
    return sa.Column("is_shared", sa.Boolean(), server_default=sa.false(), nullable=False, comment=comment)


def _demands() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "minimum_acr",
            sa.String(length=40),
            server_default=sa.text("'basic'"),
            nullable=False,
            comment="Level of sign-in below which nobody gets there. pii=no",
        ),
        sa.Column(
            "purpose_acr",
            sa.JSON(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Levels that single purposes demand, by their keys. pii=no",
        ),
        sa.Column(
            "default_acr_values",
            sa.JSON(),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="Levels it likes where a request names none. pii=no",
        ),
        sa.Column(
            "default_max_age",
            sa.Integer(),
            nullable=True,
            comment="How old a sign-in may be where a request does not say, in seconds. pii=no",
        ),
    ]


def downgrade() -> None:
    with op.batch_alter_table("clients_client") as batch:
        for name in ("minimum_acr", "default_max_age"):
            batch.drop_constraint(op.f(f"ck_clients_client_{name}"), type_="check")
        for column in _demands():
            batch.drop_column(column.name)
    op.drop_column("oidc_interaction", "keeps_level")
    op.drop_column("oidc_interaction", "confirmed_sid")
    op.drop_column("login_attempt", "is_shared")
    op.drop_index("ix_login_session_unused", table_name="login_session")
    op.drop_column("login_session", "is_shared")
    op.drop_column("login_session", "place")
