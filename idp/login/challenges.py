"""Challenges of passkey ceremonies: 32 random bytes that we remember, so that none can be chosen or used again (K29)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, update

from idp.login.attempts import CLOCK_LEEWAY
from idp.login.ceremony import CHALLENGE_FOR
from idp.login.models import Challenge
from idp.statements import prepared
from idp.web.cookies import digest

if TYPE_CHECKING:
    from idp.fast import Order
    from idp.statements import FastResult

_KEEP = prepared(insert(Challenge))
_SPEND = prepared(
    update(Challenge)
    .where(Challenge.challenge_hash == bindparam("found_hash"), Challenge.spent_at.is_(None))
    .values(spent_at=bindparam("at"))
    .returning(
        Challenge.purpose,
        Challenge.browser_hash,
        Challenge.resident_id,
        Challenge.flow_hash,
        Challenge.created_at,
        Challenge.expires_at,
    )
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a ceremony takes place: what for, in which browser, in which partner's request ("" without one)."""

    purpose: str
    browser: str
    flow: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """A challenge that came back in its time and place. `resident_id` is who had to answer it, if it says so."""

    resident_id: str | None


def give_out(connection: Any, setting: Setting, *, resident_id: str | None, now: int) -> bytes:
    """Make a challenge and remember its hash."""
    challenge = secrets.token_bytes(32)
    connection.execute(
        _KEEP,
        {
            "challenge_hash": hashlib.sha256(challenge).digest(),
            "purpose": setting.purpose,
            "browser_hash": digest(setting.browser),
            "resident_id": resident_id,
            "flow_hash": digest(setting.flow) if setting.flow else None,
            "created_at": now,
            "expires_at": now + CHALLENGE_FOR,
            "spent_at": None,
        },
    )
    return challenge


def to_spend(unverified_challenge: bytes, *, now: int) -> Order:
    """What spends a challenge, whatever comes of it; its answer is for `spent`."""
    return _SPEND, {"found_hash": hashlib.sha256(unverified_challenge).digest(), "at": now}


def spent(answer: FastResult, setting: Setting, *, now: int) -> Spent | None:
    """The challenge that was spent; None when it is not ours, used, too old, or of another place."""
    row = answer.first()
    if row is None or row.expires_at <= now or row.created_at > now + CLOCK_LEEWAY:
        return None  # the last: a clock that was set back revives none (K40)
    flow_hash = digest(setting.flow) if setting.flow else None
    kept = (row.purpose, row.browser_hash, row.flow_hash)
    if kept != (setting.purpose, digest(setting.browser), flow_hash):
        return None
    return Spent(row.resident_id)
