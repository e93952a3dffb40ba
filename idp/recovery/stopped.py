"""That somebody wanted back into an account, and that its resident's sign-in has stopped it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, or_, select

from idp.recovery.models import Case, Token

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.login.sessions import SignedIn

#: So long after the sign-in it is said, in seconds.
SAY_FOR = 600


def stopped_by(reading: Session, session: SignedIn, *, now: int) -> bool:
    """Whether the sign-in with which this session began ended a recovery, or a link or code for one, just now."""
    at = session.authenticated_at
    if now - at > SAY_FOR:
        return False
    cases = exists().where(
        Case.resident_id == session.resident_id, Case.state == "stopped", Case.ended_at == at
    )
    tokens = exists().where(Token.resident_id == session.resident_id, Token.spent_at == at)
    return bool(reading.execute(select(or_(cases, tokens))).scalar_one())
