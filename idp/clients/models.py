"""Tables of partners and clients."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base


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
        CheckConstraint(
            "token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post')",
            name="auth_method",
        ),
        CheckConstraint("application_type IN ('web', 'native')", name="application_type"),
        CheckConstraint(
            "(token_endpoint_auth_method = 'none') = (secret_hash IS NULL)", name="secret_unless_public"
        ),
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
        LargeBinary, comment="SHA-256 of the 256-bit secret; NULL for public clients. pii=no"
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
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was registered. pii=no")
    disabled_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was switched off. pii=no")
