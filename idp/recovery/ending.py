"""When a credential or the state of an account changes: everything that lives by the former one ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, or_, update

from idp.login import sessions
from idp.login.codes.models import SentCode
from idp.login.models import Challenge, LoginAttempt
from idp.oidc.families import end_all_families
from idp.recovery.models import PROVED, Case, Token
from idp.statements import prepared

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


_UNDER_WAY = or_(Case.state == "asked", Case.state == "open")
_SPEND_TOKENS = prepared(
    update(Token)
    .where(Token.resident_id == bindparam("whose"), Token.spent_at.is_(None))
    .values(spent_at=bindparam("at"))
)
#: Where nothing was proved, the page must not change when its resident signs in, so the case becomes one of nobody (K23).
_LET_GO = prepared(
    update(Case)
    .where(Case.resident_id == bindparam("whose"), _UNDER_WAY, ~PROVED)
    .values(resident_id=None)
    .returning(Case.id)
)
_EXPIRE_TOKENS = (
    update(Token)
    .where(
        Token.expires_at > bindparam("since"), Token.expires_at <= bindparam("at"), Token.spent_at.is_(None)
    )
    .values(spent_at=bindparam("at"))
    .execution_options(synchronize_session=False)
)
_EXPIRE_CASES = (
    update(Case)
    .where(Case.expires_at > bindparam("since"), Case.expires_at <= bindparam("at"), _UNDER_WAY)
    .values(state="stopped", ended_at=bindparam("at"), name=None)
    .execution_options(synchronize_session=False)
)
#: After the former, so that a proof which comes between the two is stopped, too.
_STOP_CASES = prepared(
    update(Case)
    .where(Case.resident_id == bindparam("whose"), _UNDER_WAY)
    .values(state="stopped", ended_at=bindparam("at"), name=None)
    .returning(Case.id)
)


def credentials_changed(session: Session, resident_id: str, *, keep_session: str | None, now: int) -> None:
    """End every session but one (its public name), every family of tokens, and every ceremony, code and recovery under way.

    For whoever changes a way to sign in, in that very transaction (ASVS 7.4.3, K16). Tokens that were granted beyond
    a session (offline_access) end as well, but for those that the kept session asked for.
    """
    sessions.end_all(session, resident_id, but=keep_session, now=now)
    _set(session, LoginAttempt, "ended_at", resident_id, now=now)
    _set(session, Challenge, "spent_at", resident_id, now=now)
    _set(session, SentCode, "spent_at", resident_id, now=now)
    end_all_families(session, resident_id, but=keep_session, now=now)
    stop_cases(session, resident_id, now=now)


def stop_cases(session: Session, resident_id: str, *, now: int) -> int:
    """Stop every recovery under way and make its links and codes worthless; how many recoveries were stopped.

    A browser in which something was proved is told; any other sees what it saw before.
    """
    session.execute(_SPEND_TOKENS, {"whose": resident_id, "at": now})
    let_go = session.execute(_LET_GO, {"whose": resident_id}).all()
    return len(let_go) + len(session.execute(_STOP_CASES, {"whose": resident_id, "at": now}).all())


def end_expired(session: Any, *, since: int, now: int) -> None:
    """End the recoveries, links and codes that the clock ended since then, so that none revives when it is set back (K40)."""
    asked = {"since": since, "at": now}
    session.execute(_EXPIRE_TOKENS, asked)
    session.execute(_EXPIRE_CASES, asked)


def recoveries_under_way(resident_id: Any) -> ColumnElement[bool]:
    """Whether there is anything that `stop_cases` would stop; a condition, for those who ask more in one statement."""
    tokens = exists().where(Token.resident_id == resident_id, Token.spent_at.is_(None))
    cases = exists().where(Case.resident_id == resident_id, _UNDER_WAY)
    return or_(tokens, cases)


def _set(session: Session, model: Any, column: str, resident_id: str, *, now: int) -> None:
    """Mark the rows of a resident that are not marked yet."""
    marked = getattr(model, column)
    session.execute(
        update(model)
        .where(model.resident_id == resident_id, marked.is_(None))
        .values({column: now})
        .execution_options(synchronize_session=False)
    )
