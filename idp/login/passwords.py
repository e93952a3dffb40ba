"""Passwords: Argon2id over a keyed pre-hash whose key lives outside the database (NIST SP 800-63B-4 §3.1.1.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import select

from idp.login.models import Password
from idp.login.rules import normal_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.settings import PasswordSettings


class Passwords:
    """Hashes and checks passwords with the town's parameters and pepper."""

    def __init__(self, settings: PasswordSettings, pepper: bytes) -> None:
        self._pepper = pepper
        self._hasher = argon2.PasswordHasher(
            time_cost=settings.iterations, memory_cost=settings.memory_kib, parallelism=settings.lanes
        )
        self._nobody = _unmatched(settings)

    def hash(self, password: str) -> str:
        """The encoded hash to keep."""
        return self._hasher.hash(self._keyed(password))

    def is_right(self, kept: str | None, unverified_password: str) -> bool:
        """Whether the password matches; without a kept hash the same work is done for nothing (K23)."""
        try:
            self._hasher.verify(kept or self._nobody, self._keyed(unverified_password))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _keyed(self, password: str) -> bytes:
        digest = hmac.new(
            self._pepper, normal_password(password).encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        return base64.b64encode(digest.digest())


def _unmatched(settings: PasswordSettings) -> str:
    """A hash of today's cost that no password matches; it is not computed, so even the first use is no slower."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (argon2.DEFAULT_RANDOM_SALT_LENGTH, argon2.DEFAULT_HASH_LENGTH)
    )
    cost = f"m={settings.memory_kib},t={settings.iterations},p={settings.lanes}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


def set_password(
    session: Session, passwords: Passwords, resident_id: str, password: str, *, now: int
) -> None:
    """Keep a new password for a resident."""
    session.merge(Password(resident_id=resident_id, hash=passwords.hash(password), changed_at=now))


def kept_hash(session: Session, resident_id: str) -> str | None:
    """The encoded hash of a resident's password, if there is one."""
    return session.execute(
        select(Password.hash).where(Password.resident_id == resident_id)
    ).scalar_one_or_none()
