"""The link in a mail with a code: opened and clicked, it proves the same, in whatever browser that is.

In another browser the sign-in moves there, with the partner's request; the first browser has it no more (K09: what
was asked for in one browser is never answered in it on the strength of another). One that raises a session stays with
the browser that has the session: there alone the link is good. Opening alone changes nothing, because mail scanners
open links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, or_, select, update

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
_RAISES = exists().where(LoginProof.attempt_hash == LoginAttempt.id_hash, LoginProof.raised_sid.is_not(None))
_FIND = (
    select(
        LoginAttempt.flow,
        LoginAttempt.browser_hash,
        SentCode.resident_id,
        or_(LoginAttempt.browser_hash == bindparam("this_browser"), ~_RAISES).label("is_good_here"),
    )
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


def find(session: Any, unverified_link: str, *, browser: str, now: int) -> Any:
    """The sign-in that a live link belongs to, or None.

    flow, browser_hash, whose mailbox as resident_id, and whether the link `is_good_here`.
    """
    if not _is_one(unverified_link):
        return None
    return session.execute(_FIND, {**_asked(unverified_link, now), "this_browser": digest(browser)}).first()


def take(
    session: Any,
    unverified_link: str,
    *,
    browser: str,
    move: Callable[[Any, str, str, int], str | None],
    now: int,
) -> Taken | None:
    """Spend the link by one conditional write, and have its sign-in go on in this browser under a new handle.

    `move` gives the partner's request to another browser. None when the link, the sign-in or the request is over, and
    when the link is not good here.
    """
    found = find(session, unverified_link, browser=browser, now=now)
    if found is None or not found.is_good_here:
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
    """The same sign-in under a new handle, with what was proved in it."""
    handle = attempts.begin(
        session,
        browser=browser,
        flow_handle=flow,
        next_path=former.next_path,
        wanted_acr=former.wanted_acr,
        is_shared=former.is_shared and is_same,
        now=now,
    )
    if former.resident_id is not None:
        proved = select(LoginProof).where(LoginProof.attempt_hash == former.id_hash)
        for row in session.execute(proved).scalars():
            attempts.carry(
                session,
                handle,
                [Proof(Method(row.method), row.level, row.amr, row.detail)],
                former.resident_id,
                proved_at=row.proved_at,
                raised_sid=row.raised_sid,
            )
    found = attempts.find(session, handle, browser=browser, now=now)
    assert found is not None
    return found


def _asked(unverified_link: str, now: int) -> dict[str, Any]:
    return {"found_hash": digest(unverified_link), "at": now, "latest": now + CLOCK_LEEWAY}


def _is_one(unverified_link: str) -> bool:
    return len(unverified_link) == VALUE_LENGTH
