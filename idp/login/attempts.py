"""Sign-ins under way: rows of ours, bound to one browser, ended once.

A page knows of its attempt only the handle in its address. What was proved, by whom, and what waits for it, is
read from here each time, so several tabs, the back button and a page sent twice do no harm (K27).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, or_, select, text, update

from idp.login.levels import Method, Proof
from idp.login.models import LoginAttempt, LoginProof
from idp.statements import prepared
from idp.web.cookies import VALUE_LENGTH, digest, new_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

#: As long as a partner's request waits, in seconds.
WAIT_FOR = 3600
#: How far the clocks of two nodes may differ; what began later than that belongs to a clock that was set back.
CLOCK_LEEWAY = 60

_FIND = prepared(
    select(
        LoginAttempt.id_hash,
        LoginAttempt.flow,
        LoginAttempt.next_path,
        LoginAttempt.wanted_acr,
        LoginAttempt.resident_id,
        LoginAttempt.is_shared,
        LoginAttempt.created_at,
        LoginProof.method,
        LoginProof.level,
        LoginProof.amr,
        LoginProof.detail,
        LoginProof.proved_at,
        LoginProof.raised_sid,
    )
    .outerjoin(LoginProof, LoginProof.attempt_hash == LoginAttempt.id_hash)
    .where(
        LoginAttempt.id_hash == bindparam("handle_hash"),
        LoginAttempt.browser_hash == bindparam("this_browser"),
        LoginAttempt.ended_at.is_(None),
        LoginAttempt.expires_at > bindparam("at"),
        LoginAttempt.created_at <= bindparam("latest"),
    )
    .order_by(LoginProof.proved_at, LoginProof.method)
)
#: The first proof says who it is; a proof of anybody else changes nothing.
_CLAIM = prepared(
    update(LoginAttempt)
    .where(
        LoginAttempt.id_hash == bindparam("handle_hash"),
        LoginAttempt.ended_at.is_(None),
        or_(LoginAttempt.resident_id.is_(None), LoginAttempt.resident_id == bindparam("who")),
    )
    .values(resident_id=bindparam("who"))
    .returning(LoginAttempt.id_hash)
    .execution_options(synchronize_session=False)
)
_SHARE = prepared(
    update(LoginAttempt)
    .where(LoginAttempt.id_hash == bindparam("handle_hash"))
    .values(is_shared=True)
    .execution_options(synchronize_session=False)
)
_EXPIRE = (
    update(LoginAttempt)
    .where(LoginAttempt.ended_at.is_(None), LoginAttempt.expires_at <= bindparam("at"))
    .values(ended_at=bindparam("at"))
    .execution_options(synchronize_session=False)
)
_NOTE = prepared(
    text(
        "INSERT INTO login_proof (attempt_hash, method, level, amr, detail, proved_at, raised_sid) "
        "VALUES (:attempt_hash, :method, :level, :amr, :detail, :proved_at, :raised_sid) "
        "ON CONFLICT (attempt_hash, method) DO UPDATE SET level = excluded.level, amr = excluded.amr, "
        "detail = excluded.detail, proved_at = excluded.proved_at, raised_sid = excluded.raised_sid "
        "WHERE (login_proof.level, excluded.level) IN (('basic', 'strong'), ('basic', 'phr'), ('strong', 'phr'))"
    )
)
_END = prepared(
    update(LoginAttempt)
    .where(LoginAttempt.id_hash == bindparam("handle_hash"), LoginAttempt.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
    .returning(LoginAttempt.id_hash)
    .execution_options(synchronize_session=False)
)


class AnotherResident(Exception):
    """A proof of one resident was brought to an attempt of another, or to one that has ended."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The session that an attempt raises: its public name, and when it proved what it brings along."""

    sid: str
    proved_at: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in under way as its rows say. `proofs` are in the order in which they were proved.

    `raises`: the session that some of the proofs are of; None when everything was proved here.
    """

    handle: str
    id_hash: bytes
    flow_handle: str
    next_path: str
    wanted_acr: str
    resident_id: str | None
    is_shared: bool
    created_at: int
    proofs: tuple[Proof, ...]
    raises: Raised | None = None

    @property
    def methods(self) -> frozenset[Method]:
        """The methods proved so far."""
        return frozenset(proof.method for proof in self.proofs)


def begin(
    session: Any,
    *,
    browser: str,
    flow_handle: str,
    next_path: str,
    wanted_acr: str,
    is_shared: bool = False,
    now: int,
) -> str:
    """Begin a sign-in in this browser and return its handle.

    `flow_handle` names the partner's request that waits ("" without one), `next_path` a page of ours to go to
    otherwise, `wanted_acr` the level that must be reached ("" for whatever the account asks for).
    """
    handle = new_secret()
    session.execute(
        insert(LoginAttempt).values(
            id_hash=digest(handle),
            browser_hash=digest(browser),
            flow=flow_handle,
            next_path=next_path,
            wanted_acr=wanted_acr,
            resident_id=None,
            is_shared=is_shared,
            created_at=now,
            expires_at=now + WAIT_FOR,
            ended_at=None,
        )
    )
    return handle


def find(session: Any, unverified_handle: str, *, browser: str, now: int) -> Attempt | None:
    """The sign-in under way behind a handle, if it began in this very browser and has neither ended nor expired."""
    if len(unverified_handle) != VALUE_LENGTH:
        return None
    rows = session.execute(
        _FIND,
        {
            "handle_hash": digest(unverified_handle),
            "this_browser": digest(browser),
            "at": now,
            "latest": now + CLOCK_LEEWAY,
        },
    ).all()
    return _attempt(unverified_handle, rows) if rows else None


def find_former(session: Any, unverified_handle: str, *, browser: str) -> Any:
    """Where an attempt of this browser led (flow, next_path), even if it has ended; None when it was never one."""
    return session.execute(
        select(LoginAttempt.flow, LoginAttempt.next_path).where(
            LoginAttempt.id_hash == digest(unverified_handle), LoginAttempt.browser_hash == digest(browser)
        )
    ).first()


def _attempt(handle: str, rows: list[Any]) -> Attempt:
    proved = [row for row in rows if row.method is not None]
    carried = [Raised(row.raised_sid, row.proved_at) for row in proved if row.raised_sid is not None]
    first = rows[0]
    return Attempt(
        handle,
        first.id_hash,
        first.flow,
        first.next_path,
        first.wanted_acr,
        first.resident_id,
        bool(first.is_shared),
        first.created_at,
        tuple(Proof(Method(row.method), row.level, row.amr, row.detail) for row in proved),
        carried[0] if carried else None,
    )


def prove(session: Any, attempt: Attempt, proof: Proof, resident_id: str, *, now: int) -> None:
    """Note what was proved, in the transaction that spends the code or counts the signature.

    Raises:
        AnotherResident: when another resident proved something in this attempt before, or when it has ended.
    """
    claimed = session.execute(_CLAIM, {"handle_hash": attempt.id_hash, "who": resident_id}).first()
    if claimed is None:
        raise AnotherResident
    _note(session, attempt.id_hash, [proof], now)


def share(session: Any, attempt: Attempt) -> None:
    """Note that this sign-in happens at a shared computer, as its resident says with one of the proofs."""
    session.execute(_SHARE, {"handle_hash": attempt.id_hash})


def carry(
    session: Any,
    handle: str,
    proofs: Iterable[Proof],
    resident_id: str,
    *,
    proved_at: int,
    raised_sid: str | None = None,
) -> None:
    """Begin with what this resident proved at `proved_at`: in the session of that name (step-up), or in a former attempt."""
    id_hash = digest(handle)
    session.execute(_CLAIM, {"handle_hash": id_hash, "who": resident_id})
    _note(session, id_hash, proofs, proved_at, raised_sid)


def _note(
    session: Any, id_hash: bytes, proofs: Iterable[Proof], proved_at: int, raised_sid: str | None = None
) -> None:
    """Each method once: proving it again says nothing new, unless a provider upstream now says more."""
    for proof in proofs:
        values = {
            "method": proof.method.value,
            "level": proof.level,
            "amr": proof.amr,
            "detail": proof.detail,
        }
        marks = {"attempt_hash": id_hash, "proved_at": proved_at, "raised_sid": raised_sid}
        session.execute(_NOTE, {**marks, **values})


def expire(session: Any, *, now: int) -> None:
    """End what has expired, so that no clock that is set back revives it (K40)."""
    session.execute(_EXPIRE, {"at": now})


def end(session: Any, id_hash: bytes, *, now: int) -> bool:
    """End an attempt; true for exactly one of parallel callers."""
    return session.execute(_END, {"handle_hash": id_hash, "at": now}).first() is not None
