"""Tables of sign-in: passwords, passkeys and their challenges, sign-ins under way, sessions, guessing budgets."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp.db import Base
from keys.columns import Sealed, SealedBytes


def _of_residents(name: str) -> Index:
    """An index of what is somebody's: most rows are of nobody yet, and cost nothing in it."""
    is_known = text("resident_id IS NOT NULL")
    return Index(name, "resident_id", sqlite_where=is_known, postgresql_where=is_known)


class Password(Base):
    """A resident's password, as Argon2id over a keyed pre-hash."""

    __tablename__ = "login_password"

    resident_id: Mapped[str] = mapped_column(String(22), primary_key=True, comment="Whose password. pii=no")
    hash: Mapped[str] = mapped_column(String(200), comment="Encoded Argon2id hash. pii=no")
    is_short: Mapped[bool] = mapped_column(
        Boolean,
        server_default=false(),
        comment="Whether it is good enough only beside a second factor. pii=no",
    )
    rests_on: Mapped[str | None] = mapped_column(
        String(20),
        comment="Codes by which alone whoever set it was known: email-code or sms-code; NULL: by more. pii=no",
    )
    changed_at: Mapped[int] = mapped_column(BigInteger, comment="When it was set. pii=no")


class Passkey(Base):
    """One passkey of a resident: the credential record of WebAuthn L3 §4. No two residents share one."""

    __tablename__ = "login_passkey"
    __table_args__ = (
        CheckConstraint("sign_count >= 0", name="sign_count"),
        CheckConstraint("may_sync OR NOT is_synced", name="synced"),
    )

    credential_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the credential id. pii=no"
    )
    id: Mapped[str] = mapped_column(
        String(22), unique=True, comment="Name of the passkey in addresses of pages. pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Whose passkey. pii=no")
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, comment="As the device knows it. pii=no")
    public_key: Mapped[bytes] = mapped_column(LargeBinary, comment="COSE key (RFC 9052 §7). pii=no")
    sign_count: Mapped[int] = mapped_column(BigInteger, comment="Signature counter as last seen. pii=no")
    user_handle: Mapped[bytes] = mapped_column(
        LargeBinary, comment="By what the device knows the resident: random to everybody else. pii=no"
    )
    rp_id: Mapped[str] = mapped_column(String(253), comment="Domain that the passkey belongs to. pii=no")
    name: Mapped[SealedBytes] = mapped_column(Sealed, comment="What the resident calls it, sealed. pii=yes")
    transports: Mapped[str] = mapped_column(
        String(80), comment="How the device is reached, space-separated. pii=no"
    )
    may_sync: Mapped[bool] = mapped_column(Boolean, comment="Backup eligible (BE): not of one device. pii=no")
    is_synced: Mapped[bool] = mapped_column(Boolean, comment="Backed up when last seen (BS). pii=no")
    aaguid: Mapped[str] = mapped_column(
        String(36), comment="Model of the authenticator, as it says itself. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was added. pii=no")
    used_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it signed in last. pii=no")


class Challenge(Base):
    """A challenge of a passkey ceremony: for one browser and one purpose, once. Only its hash is kept."""

    __tablename__ = "login_challenge"
    __table_args__ = (
        CheckConstraint("purpose IN ('create', 'get')", name="purpose"),
        CheckConstraint("purpose = 'get' OR resident_id IS NOT NULL", name="resident"),
        _of_residents("ix_login_challenge_resident_id"),
        {"sqlite_with_rowid": False},
    )

    challenge_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the challenge. pii=no"
    )
    purpose: Mapped[str] = mapped_column(String(10), comment="create or get. pii=no")
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    resident_id: Mapped[str | None] = mapped_column(
        String(22), comment="Who must answer it; NULL: whoever signs in. pii=no"
    )
    flow_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="SHA-256 of the handle of the partner's request that waits. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it was given out. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    spent_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it came back first. pii=no")


class BrowserSession(Base):
    """A resident signed in in one browser. Only the hash of its cookie is kept."""

    __tablename__ = "login_session"
    __table_args__ = (
        Index(
            "ix_login_session_unused",
            "seen_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_login_session_untold",
            "ended_at",
            sqlite_where=text("ended_at IS NOT NULL AND told_at IS NULL"),
            postgresql_where=text("ended_at IS NOT NULL AND told_at IS NULL"),
        ),
        Index(
            "ix_login_session_former",
            "former_sid",
            sqlite_where=text("former_sid IS NOT NULL"),
            postgresql_where=text("former_sid IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the cookie. pii=no"
    )
    sid: Mapped[str] = mapped_column(
        String(22), unique=True, comment="Public name of the session (sid). pii=no"
    )
    resident_id: Mapped[str] = mapped_column(String(22), index=True, comment="Who is signed in. pii=no")
    authenticated_at: Mapped[int] = mapped_column(
        BigInteger, comment="When they proved it last (auth_time). pii=no"
    )
    acr: Mapped[str] = mapped_column(String(40), comment="Level proved in this session. pii=no")
    amr: Mapped[str] = mapped_column(String(80), comment="Methods used, space-separated (RFC 8176). pii=no")
    proofs: Mapped[str | None] = mapped_column(
        String(200), comment="Ways to sign in proved in it, each with its level; NULL: not known. pii=no"
    )
    device: Mapped[str] = mapped_column(String(120), comment="Browser and system, in few words. pii=yes")
    place: Mapped[SealedBytes | None] = mapped_column(
        Sealed, comment="Block of addresses it began in, sealed under the resident's key. pii=yes"
    )
    is_shared: Mapped[bool] = mapped_column(
        Boolean, server_default=false(), comment="Whether on a shared computer: short limits. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When the session began. pii=no")
    seen_at: Mapped[int] = mapped_column(BigInteger, comment="When it was used last, to the minute. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it ends in any case. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(BigInteger, comment="When it was ended. pii=no")
    former_sid: Mapped[str | None] = mapped_column(
        String(22),
        comment="Session of the same resident in this browser that a new sign-in put it in the place of. pii=no",
    )
    told_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When telling partners of its end was put in hand. pii=no"
    )


class LoginAttempt(Base):
    """One sign-in under way in one browser, named by a handle of which only the hash is kept."""

    __tablename__ = "login_attempt"
    __table_args__ = (_of_residents("ix_login_attempt_resident_id"), {"sqlite_with_rowid": False})

    id_hash: Mapped[bytes] = mapped_column(
        LargeBinary, primary_key=True, comment="SHA-256 of the handle. pii=no"
    )
    browser_hash: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the browser's cookie. pii=no"
    )
    flow: Mapped[str] = mapped_column(
        String(43), comment="Handle of the partner's request that waits, of use in this browser only. pii=no"
    )
    next_path: Mapped[str] = mapped_column(
        String(200), comment="Our page to go to when no partner waits. pii=no"
    )
    wanted_acr: Mapped[str] = mapped_column(String(40), comment="Level that must be reached. pii=no")
    resident_id: Mapped[str | None] = mapped_column(
        String(22), comment="Who proves; NULL until something is proved. pii=no"
    )
    is_shared: Mapped[bool] = mapped_column(
        Boolean, server_default=false(), comment="Whether on a shared computer. pii=no"
    )
    created_at: Mapped[int] = mapped_column(BigInteger, comment="When it began. pii=no")
    expires_at: Mapped[int] = mapped_column(
        BigInteger, index=True, comment="When it is worth nothing. pii=no"
    )
    ended_at: Mapped[int | None] = mapped_column(
        BigInteger, comment="When it became a session or was given up. pii=no"
    )


class LoginProof(Base):
    """What was proved in an attempt: each method once."""

    __tablename__ = "login_proof"
    __table_args__ = ({"sqlite_with_rowid": False},)

    attempt_hash: Mapped[bytes] = mapped_column(
        ForeignKey("login_attempt.id_hash", ondelete="CASCADE"),
        primary_key=True,
        comment="In which attempt. pii=no",
    )
    method: Mapped[str] = mapped_column(
        String(20), primary_key=True, comment="password, passkey, totp and so on. pii=no"
    )
    level: Mapped[str] = mapped_column(String(40), comment="What it is worth by itself. pii=no")
    amr: Mapped[str] = mapped_column(String(80), comment="Its RFC 8176 values, space-separated. pii=no")
    detail: Mapped[str] = mapped_column(String(200), comment="Which credential it was, by its id. pii=no")
    proved_at: Mapped[int] = mapped_column(
        BigInteger, comment="When it was proved, in this attempt or in the session that is raised. pii=no"
    )
    raised_sid: Mapped[str | None] = mapped_column(
        String(22), comment="Session that proved it and is raised; NULL: proved in this attempt. pii=no"
    )
