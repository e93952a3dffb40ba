"""Tables of partners and clients."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp.clients.profiles import ALL_METHODS, PROFILES
from idp.db import Base
from keys.columns import Sealed
from keys.envelope import SealedBytes  # noqa: TC001 - SQLAlchemy reads it

_METHODS = ", ".join(f"'{name}'" for name in sorted(ALL_METHODS))
_PROFILES = ", ".join(f"'{name}'" for name in sorted(PROFILES))


class Partner(Base):
    """The organisation behind one or more clients."""

    __tablename__ = "clients_partner"

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    name: Mapped[str] = mapped_column(String(120), unique=True, comment="Name as residents know it. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was added. pii=no")


class ClientRow(Base):
    """An OAuth client (RFC 7591 names)."""

    __tablename__ = "clients_client"
    __table_args__ = (
        CheckConstraint(f"token_endpoint_auth_method IN ({_METHODS})", name="auth_method"),
        CheckConstraint("application_type IN ('web', 'native')", name="application_type"),
        CheckConstraint(
            "(token_endpoint_auth_method IN ('client_secret_basic', 'client_secret_post')) = "
            "(secret_hash IS NOT NULL)",
            name="secret_hash",
        ),
        CheckConstraint(
            "(token_endpoint_auth_method = 'client_secret_jwt') = (secret_sealed IS NOT NULL)",
            name="secret_sealed",
        ),
        CheckConstraint(f"profile IN ({_PROFILES})", name="profile"),
        CheckConstraint("minimum_acr IN ('basic', 'strong', 'phr')", name="minimum_acr"),
        CheckConstraint("default_max_age >= 0", name="default_max_age"),
    )

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True, comment="The client_id. pii=no")
    partner_id: Mapped[str] = mapped_column(
        ForeignKey("clients_partner.id"), index=True, comment="Whose client. pii=no"
    )
    name: Mapped[str] = mapped_column(String(120), comment="Name as residents know it. pii=no")
    application_type: Mapped[str] = mapped_column(
        String(10), comment="web or native (loopback ports vary). pii=no"
    )
    token_endpoint_auth_method: Mapped[str] = mapped_column(String(30), comment="Its one method. pii=no")
    secret_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="SHA-256 of the 256-bit secret that it sends; NULL if it sends none. pii=no"
    )
    secret_sealed: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="The secret that it signs with, sealed; NULL if it signs with none. pii=no"
    )
    redirect_uris: Mapped[list[str]] = mapped_column(
        JSON, comment="Registered, compared byte by byte. pii=no"
    )
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(JSON, comment="Registered likewise. pii=no")
    grant_types: Mapped[list[str]] = mapped_column(JSON, comment="Grants it may use. pii=no")
    scopes: Mapped[list[str]] = mapped_column(JSON, comment="Scopes it may ask for. pii=no")
    protects_scopes: Mapped[list[str]] = mapped_column(
        JSON, comment="Scopes it is the resource server of: it may introspect tokens with them. pii=no"
    )
    id_token_signed_response_alg: Mapped[str] = mapped_column(String(10), comment="RS256 or ES256. pii=no")
    home_url: Mapped[str] = mapped_column(
        Text, comment="Where residents find the service; may be empty. pii=no"
    )
    is_pairwise: Mapped[bool] = mapped_column(Boolean, comment="Whether sub differs per sector. pii=no")
    sector: Mapped[str] = mapped_column(String(255), comment="Sector of pairwise subjects. pii=no")
    minimum_acr: Mapped[str] = mapped_column(
        String(40),
        server_default=text("'basic'"),
        comment="Level of sign-in below which nobody gets there. pii=no",
    )
    purpose_acr: Mapped[dict[str, str]] = mapped_column(
        JSON, server_default=text("'{}'"), comment="Levels that single purposes demand, by their keys. pii=no"
    )
    default_acr_values: Mapped[list[str]] = mapped_column(
        JSON, server_default=text("'[]'"), comment="Levels it likes where a request names none. pii=no"
    )
    default_max_age: Mapped[int | None] = mapped_column(
        Integer, comment="How old a sign-in may be where a request does not say, in seconds. pii=no"
    )
    profile: Mapped[str] = mapped_column(
        String(20), server_default=text("'standard'"), comment="Its security profile. pii=no"
    )
    details: Mapped[dict[str, Any]] = mapped_column(
        JSON, server_default=text("'{}'"), comment="All other metadata, validated; RFC 7591 names. pii=no"
    )
    registration_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="SHA-256 of the token with which it changes its registration. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was registered. pii=no")
    approved_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was approved; no personal data before. pii=no"
    )
    disabled_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was switched off. pii=no")


class InitialToken(Base):
    """A token with which a partner registers clients by itself (RFC 7591 §3), so many times."""

    __tablename__ = "clients_initial_token"
    __table_args__ = (CheckConstraint("uses_left >= 0", name="uses_left"),)

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the token. pii=no"
    )
    partner_id: Mapped[str] = mapped_column(
        ForeignKey("clients_partner.id"), index=True, comment="Whose clients. pii=no"
    )
    profile: Mapped[str] = mapped_column(String(20), comment="Profile of these clients. pii=no")
    uses_left: Mapped[int] = mapped_column(Integer, comment="How many clients may yet be registered. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was made. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When it ends. pii=no")
