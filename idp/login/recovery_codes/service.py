"""Making a set of recovery codes, and spending one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from idp.login.levels import Method
from idp.login.recovery_codes.models import RecoveryCode
from idp.login.recovery_codes.rules import ALPHABET, LENGTH
from idp.login.ways import RESIDENT, Way

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from keys.envelope import Vault

#: How many codes a set has.
COUNT = 10

_HAS = exists().where(RecoveryCode.resident_id == RESIDENT, RecoveryCode.spent_at.is_(None))
WAY = Way(Method.RECOVERY_CODE, "/login/recovery-code", has=_HAS)

_SPEND = (
    update(RecoveryCode)
    .where(
        RecoveryCode.code_hash == bindparam("found_hash"),
        RecoveryCode.resident_id == bindparam("whose"),
        RecoveryCode.spent_at.is_(None),
    )
    .values(spent_at=bindparam("at"))
    .returning(RecoveryCode.code_hash)
    .execution_options(synchronize_session=False)
)


def make(session: Session, vault: Vault, resident_id: str, *, now: int) -> list[str]:
    """A new set, in the clear for the only time; the former set is worth nothing from now on."""
    remove_all(session, resident_id)
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(COUNT)]
    for code in codes:
        session.execute(
            insert(RecoveryCode).values(
                code_hash=_hash(vault, resident_id, code),
                resident_id=resident_id,
                created_at=now,
                spent_at=None,
            )
        )
    return codes


def spend(session: Any, vault: Vault, resident_id: str, code: str, *, now: int) -> bool:
    """Spend a code (in its normal form) by one conditional write; true for exactly one of parallel callers."""
    found_hash = _hash(vault, resident_id, code)
    spent = session.execute(_SPEND, {"found_hash": found_hash, "whose": resident_id, "at": now})
    return spent.first() is not None


def left(session: Session, resident_id: str) -> tuple[int, int | None]:
    """How many codes are left, and when the set was made (None without one)."""
    count = func.count().filter(RecoveryCode.spent_at.is_(None))
    row = session.execute(
        select(count, func.max(RecoveryCode.created_at)).where(RecoveryCode.resident_id == resident_id)
    ).one()
    return int(row[0]), row[1]


def remove_all(session: Session, resident_id: str) -> None:
    """Forget every code of a resident."""
    session.execute(
        delete(RecoveryCode).where(RecoveryCode.resident_id == resident_id),
        execution_options={"synchronize_session": False},
    )


def _hash(vault: Vault, resident_id: str, code: str) -> bytes:
    return hmac.new(vault.subkey("recovery-code"), f"{resident_id}|{code}".encode(), hashlib.sha256).digest()
