"""The link in a mail with a code: opened and clicked, it proves the same, in whatever browser that is.

In another browser the sign-in moves there, with the partner's request; the first browser has it no more (K09: what
was asked for in one browser is never answered in it on the strength of another). Opening alone changes nothing,
because mail scanners open links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from idp.login import attempts
from idp.login.attempts import CLOCK_LEEWAY
from idp.login.codes.models import SentCode
from idp.login.levels import Method, Proof
from idp.login.models import LoginAttempt, LoginProof
from idp.web.cookies import VALUE_LENGTH, digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.login.attempts import Attempt

_LIVE = (
    SentCode.link_hash == bindparam("found_hash"),
    SentCode.channel == "email",
    SentCode.spent_at.is_(None),
    SentCode.expires_at > bindparam("at"),
    SentCode.created_at <= bindparam("latest"),
)
_FIND = (
    select(LoginAttempt.flow, LoginAttempt.browser_hash, SentCode.resident_id)
    .join(SentCode, SentCode.attempt_hash == LoginAttempt.id_hash)
    .where(*_LIVE, LoginAttempt.ended_at.is_(None), LoginAttempt.expires_at > bindparam("at"))
)
_SPEND = (
    update(SentCode)
    .where(*_LIVE, SentCode.resident_id.is_not(None))
    .values(spent_at=bindparam("at"))
    .returning(SentCode.attempt_hash, SentCode.resident_id)
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A sign-in that goes on here, and whose mailbox it was."""

    attempt: Attempt
    resident_id: str


def find(session: Any, unverified_link: str, *, now: int) -> Any:
    """The sign-in that a live link belongs to (flow, browser_hash, whose mailbox as resident_id), or None."""
    return session.execute(_FIND, _asked(unverified_link, now)).first() if _is_one(unverified_link) else None


def take(
    session: Any,
    unverified_link: str,
    *,
    browser: str,
    move: Callable[[Any, str, str, int], str | None],
    now: int,
) -> Taken | None:
    """Spend the link by one conditional write, and have its sign-in go on in this browser under a new handle.

    `move` gives the partner's request to another browser. None when the link, the sign-in or the request is over.
    """
    if not _is_one(unverified_link):
        return None
    spent = session.execute(_SPEND, _asked(unverified_link, now)).first()
    if spent is None:
        return None
    former = session.execute(
        select(LoginAttempt).where(LoginAttempt.id_hash == spent.attempt_hash, LoginAttempt.expires_at > now)
    ).scalar_one_or_none()
    if former is None or not attempts.end(session, former.id_hash, now=now):
        return None
    is_same = former.browser_hash == digest(browser)
    flow = former.flow
    if flow and not is_same:
        moved = move(session, flow, browser, now)
        if moved is None:
            return None
        flow = moved
    attempt = _anew(session, former, flow, browser, is_same=is_same, now=now)
    return Taken(attempt, spent.resident_id)


def _anew(session: Any, former: LoginAttempt, flow: str, browser: str, *, is_same: bool, now: int) -> Attempt:
    """The same sign-in under a new handle, with what was proved in it; what a session had proved stays behind."""
    handle = attempts.begin(
        session,
        browser=browser,
        flow_handle=flow,
        next_path=former.next_path,
        wanted_acr=former.wanted_acr,
        is_shared=former.is_shared and is_same,
        now=now,
    )
    rows = session.execute(
        select(LoginProof).where(LoginProof.attempt_hash == former.id_hash, LoginProof.raised_sid.is_(None))
    ).scalars()
    proofs = [Proof(Method(row.method), row.level, row.amr, row.detail) for row in rows]
    if proofs and former.resident_id is not None:
        attempts.carry(session, handle, proofs, former.resident_id, proved_at=now)
    found = attempts.find(session, handle, browser=browser, now=now)
    assert found is not None
    return found


def _asked(unverified_link: str, now: int) -> dict[str, Any]:
    return {"found_hash": digest(unverified_link), "at": now, "latest": now + CLOCK_LEEWAY}


def _is_one(unverified_link: str) -> bool:
    return len(unverified_link) == VALUE_LENGTH
