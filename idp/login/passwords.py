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
from sqlalchemy import delete, select

from idp.login.admission import Admission
from idp.login.models import Password
from idp.login.rules import normal_password

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.settings import PasswordSettings


class Passwords:
    """Hashes and checks passwords with the town's parameters and pepper."""

    def __init__(self, settings: PasswordSettings, pepper: bytes, admission: Admission | None = None) -> None:
        #: Hold `admission.place()` from before the first database work of a sign-in: whoever is shed costs nothing.
        self.admission = admission or Admission(at_once=1, queue=16, longest_wait=30)
        self._pepper = pepper
        self._stands_alone_from = settings.minimum_length
        self._hasher = argon2.PasswordHasher(
            time_cost=settings.iterations, memory_cost=settings.memory_kib, parallelism=settings.lanes
        )
        self._nobody = _unmatched(settings)

    def hash(self, password: str) -> str:
        """The encoded hash to keep. Never inside a transaction of a served request: its turn may be some time off.

        Raises:
            idp.login.admission.Busy: when too many passwords are being hashed already.
        """
        keyed = self._keyed(password)
        return self.admission.run(lambda: self._hasher.hash(keyed))

    def is_right(self, kept: str | None, unverified_password: str) -> bool:
        """Whether the password matches; without a kept hash the same work is done for nothing (K23).

        Raises:
            idp.login.admission.Busy: when too many passwords are being hashed already.
        """
        keyed = self._keyed(unverified_password)
        try:
            self.admission.run(lambda: self._hasher.verify(kept or self._nobody, keyed))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def is_short(self, password: str) -> bool:
        """Whether a password may open an account only together with a second factor (NIST SP 800-63B-4 §3.1.1.2)."""
        return len(normal_password(password)) < self._stands_alone_from

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
    """Keep a new password for a resident. Hashing takes its time: where that matters, use `keep_hash`."""
    keep_hash(session, resident_id, passwords.hash(password), is_short=passwords.is_short(password), now=now)


def keep_hash(
    session: Session, resident_id: str, encoded: str, *, is_short: bool, now: int, rests_on: str = ""
) -> None:
    """Keep a password that was hashed before the transaction began; the former one is replaced.

    `rests_on`: by what alone whoever sets it is known (`levels.common_root`).
    """
    session.merge(
        Password(
            resident_id=resident_id,
            hash=encoded,
            is_short=is_short,
            rests_on=rests_on or None,
            changed_at=now,
        )
    )


def remove_password(session: Session, resident_id: str) -> bool:
    """Forget a resident's password; False when there was none."""
    gone = session.execute(
        delete(Password).where(Password.resident_id == resident_id).returning(Password.resident_id)
    ).first()
    return gone is not None


def needs_second(session: Session, resident_id: str) -> bool:
    """Whether the resident's password is too short to stand alone.

    Ask before a second factor is removed: the resident then needs a longer password first.
    """
    found: bool | None = session.execute(
        select(Password.is_short).where(Password.resident_id == resident_id)
    ).scalar_one_or_none()
    return bool(found)


def changed_at(session: Session, resident_id: str) -> int | None:
    """When a resident's password was set; None without one."""
    return session.execute(
        select(Password.changed_at).where(Password.resident_id == resident_id)
    ).scalar_one_or_none()
