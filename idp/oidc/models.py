"""Tables of the protocol. Codes and tokens are 256 random bits, kept only as SHA-256 hashes.

Tokens are kept under their hash alone (in SQLite without a second tree for row numbers), and carry no
foreign key: a token whose family is gone finds nothing to live by.

A *grant* is what a resident authorised for a client now. An *authorization* is one run through the
authorization endpoint: its code, and the family of tokens that descend from it. Revoking either row kills
everything under it in one write.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base

#: Rows kept in the order of their primary key.
CLUSTERED = {"sqlite_with_rowid": False}
Serial = BigInteger().with_variant(Integer, "sqlite")


class Interaction(Base):
    """An authorization request that waits for its resident: bound to one browser, kept on our side only."""

    __tablename__ = "oidc_interaction"
    __table_args__ = CLUSTERED

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the handle. pii=no"
    )
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    client_id: Mapped[str] = mapped_column(String(64), comment="Who asks. pii=no")
    request: Mapped[str] = mapped_column(
        Text, comment="The validated request as JSON; login_hint left out. pii=no"
    )
    login_hint: Mapped[bytes | None] = mapped_column(LargeBinary, comment="The sealed login_hint. pii=yes")
    signed_in_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the resident signed in for this very request. pii=no"
    )
    confirmed_sid: Mapped[str | None] = mapped_column(
        String(22), comment="Session in which the resident said to go on as themselves. pii=no"
    )
    keeps_level: Mapped[bool] = mapped_column(
        Boolean,
        server_default=false(),
        comment="Whether they go on without the level that the partner would like. pii=no",
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it began. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When it ends. pii=no")
    finished_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was answered. pii=no")


class PushedRequest(Base):
    """An authorization request that its client pushed (RFC 9126), checked, until an answer to it spends it."""

    __tablename__ = "oidc_pushed_request"
    __table_args__ = CLUSTERED

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the request_uri. pii=no"
    )
    client_id: Mapped[str] = mapped_column(String(64), comment="Who pushed it. pii=no")
    request: Mapped[str] = mapped_column(
        Text, comment="The validated request as JSON; login_hint left out. pii=no"
    )
    login_hint: Mapped[bytes | None] = mapped_column(LargeBinary, comment="The sealed login_hint. pii=yes")
    browser_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="SHA-256 of the cookie of the browser that brought it first. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was pushed. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it cannot be brought any more. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was answered. pii=no")


class Grant(Base):
    """What a resident has authorised for a client now. At most one is live per pair."""

    __tablename__ = "oidc_grant"
    __table_args__ = (
        Index(
            "uq_oidc_grant_live",
            "resident_id",
            "client_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index("ix_oidc_grant_subject", "client_id", "subject"),
    )

    id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Random id. pii=no")
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Who authorised. pii=no")
    client_id: Mapped[str] = mapped_column(String(64), index=True, comment="Whom. pii=no")
    subject: Mapped[str] = mapped_column(String(255), comment="The sub this client knows. pii=yes")
    scope: Mapped[str] = mapped_column(Text, comment="Scopes authorised, space-separated. pii=no")
    claims: Mapped[str] = mapped_column(Text, comment="Claims that may be released, space-separated. pii=no")
    decided_claims: Mapped[str] = mapped_column(
        Text, comment="Claims that were asked about, given or refused, space-separated. pii=no"
    )
    purposes: Mapped[str] = mapped_column(Text, comment="Purposes that cover them, space-separated. pii=no")
    notices_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="Which notices were decided upon. pii=no"
    )
    granted_at: Mapped[int] = mapped_column(BigInteger, comment="When it was decided last. pii=no")
    revoked_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it ended. pii=no")
    ends_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the last consent it stands on ends by itself. pii=no"
    )
    told_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When the client redeemed a code under it first, so knows the sub. pii=no"
    )
    lapses: Mapped[str | None] = mapped_column(
        Text,
        comment="JSON list: which claims and purposes end by themselves before it does, and when. pii=no",
    )


class Hold(Base):
    """A client that gets no new grant of a resident, because they restricted it or object to it; "" is every client."""

    __tablename__ = "oidc_hold"
    __table_args__ = (
        CheckConstraint("cause IN ('restriction', 'objection', 'pause')", name="cause"),
        CLUSTERED,
    )

    resident_id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Who stopped it. pii=no")
    client_id: Mapped[str] = mapped_column(
        String(64), primary_key=True, comment="Which client; empty: every one. pii=no"
    )
    cause: Mapped[str] = mapped_column(
        String(12), primary_key=True, comment="restriction, objection or pause. pii=no"
    )
    since_at: Mapped[int] = mapped_column(BigInteger, comment="Since when. pii=no")


class Authorization(Base):
    """One run through the authorization endpoint: a code, then the family of tokens from it."""

    __tablename__ = "oidc_authorization"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, comment="Serial number. pii=no")
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True, comment="SHA-256 of the code. pii=no")
    grant_id: Mapped[str] = mapped_column(
        ForeignKey("oidc_grant.id"), index=True, comment="Under which grant. pii=no"
    )
    client_id: Mapped[str] = mapped_column(String(64), comment="To whom the code was given. pii=no")
    session_hash: Mapped[bytes] = mapped_column(LargeBinary, comment="In which session. pii=no")
    sid: Mapped[str] = mapped_column(String(22), comment="The session's public name. pii=no")
    redirect_uri: Mapped[str] = mapped_column(Text, comment="Where the code was sent. pii=no")
    scope: Mapped[str] = mapped_column(Text, comment="Scopes of this family, space-separated. pii=no")
    nonce: Mapped[str | None] = mapped_column(Text, comment="The nonce, echoed in ID tokens. pii=no")
    code_challenge: Mapped[str] = mapped_column(String(43), comment="PKCE S256 challenge. pii=no")
    dpop_jkt: Mapped[str | None] = mapped_column(
        String(43), comment="Thumbprint of the key to which the code is bound. pii=no"
    )
    resource: Mapped[str | None] = mapped_column(Text, comment="API for which the tokens may be. pii=no")
    asked_claims: Mapped[str | None] = mapped_column(
        Text, comment="Claims asked for by name, and where, as JSON. pii=no"
    )
    authorization_details: Mapped[str | None] = mapped_column(
        Text, comment="Permissions for single matters that the resident gave, as JSON (RFC 9396). pii=yes"
    )
    auth_time: Mapped[int] = mapped_column(
        BigInteger, comment="When the resident proved who they are. pii=no"
    )
    acr: Mapped[str] = mapped_column(String(40), comment="Level proved. pii=no")
    amr: Mapped[str] = mapped_column(String(80), comment="Methods used. pii=no")
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the code was made. pii=no")
    code_expires_at: Mapped[int] = mapped_column(BigInteger, comment="When the code ends. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When the code was redeemed. pii=no")
    revoked_at: Mapped[int | None] = mapped_column(BigInteger, comment="When the family was killed. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When nothing of it lives any more. pii=no"
    )


class AccessToken(Base):
    """An access token, opaque or a JWT. `authorization_id` is NULL for a client acting for itself."""

    __tablename__ = "oidc_access_token"
    __table_args__ = CLUSTERED

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the token. pii=no"
    )
    authorization_id: Mapped[int | None] = mapped_column(BigInteger, comment="Its family. pii=no")
    client_id: Mapped[str] = mapped_column(String(64), comment="Who holds it. pii=no")
    scope: Mapped[str] = mapped_column(Text, comment="Scopes, space-separated. pii=no")
    confirmation: Mapped[str | None] = mapped_column(
        String(60), comment="Key to which it is bound: method and thumbprint. pii=no"
    )
    resource: Mapped[str | None] = mapped_column(Text, comment="API for which it is; NULL for ours. pii=no")
    authorization_details: Mapped[str | None] = mapped_column(
        Text, comment="Those of the family's permissions that it carries, as JSON (RFC 9396). pii=yes"
    )
    issued_at: Mapped[int] = mapped_column(BigInteger, comment="When it was made. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When it ends. pii=no")
    released_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was first used to read userinfo. pii=no"
    )
    revoked_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it was revoked by itself. pii=no"
    )


class RefreshToken(Base):
    """A refresh token, spent by its first use; using it again kills the family (RFC 9700 §4.14.2)."""

    __tablename__ = "oidc_refresh_token"
    __table_args__ = CLUSTERED

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the token. pii=no"
    )
    authorization_id: Mapped[int] = mapped_column(BigInteger, comment="Its family. pii=no")
    client_id: Mapped[str] = mapped_column(String(64), comment="Who holds it. pii=no")
    scope: Mapped[str] = mapped_column(Text, comment="Scopes, space-separated. pii=no")
    confirmation: Mapped[str | None] = mapped_column(
        String(60), comment="Key to which it is bound: method and thumbprint. pii=no"
    )
    issued_at: Mapped[int] = mapped_column(BigInteger, comment="When it was made. pii=no")
    expires_at: Mapped[int] = mapped_column(BigInteger, index=True, comment="When it ends. pii=no")
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was used. pii=no")


class UsedOnce(Base):
    """What may be used once and is not ours: the `jti` of an assertion or of a proof."""

    __tablename__ = "oidc_used_once"
    __table_args__ = CLUSTERED

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of who used it and its jti. pii=no"
    )
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it would be too old anyway. pii=no"
    )
