"""Initial access tokens: a partner who holds one registers its clients by itself (RFC 7591 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from idp.clients.models import InitialToken
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def make_initial_token(
    session: Session, partner_id: str, *, profile: str, uses: int, expires_at: int, now: int
) -> str:
    """A new token, good for so many clients of one partner and one profile; it is never shown again."""
    token = new_secret()
    session.add(
        InitialToken(
            token_hash=digest(token),
            partner_id=partner_id,
            profile=profile,
            uses_left=uses,
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    return token


def find_initial_token(session: Session, unverified_token: str, *, now: int) -> Any:
    """The row of a token that could be used now, or None; nothing is spent."""
    return session.execute(select(InitialToken).where(*_is_good(unverified_token, now))).scalar_one_or_none()


def spend_initial_token(session: Session, unverified_token: str, *, now: int) -> bool:
    """Use a token once, in the transaction that registers the client; True for as many callers as it has uses."""
    statement = (
        update(InitialToken)
        .where(*_is_good(unverified_token, now))
        .values(uses_left=InitialToken.uses_left - 1)
        .execution_options(synchronize_session=False)
    )
    spent: Any = session.execute(statement)
    return bool(spent.rowcount == 1)


def _is_good(unverified_token: str, now: int) -> tuple[Any, ...]:
    return (
        InitialToken.token_hash == digest(unverified_token),
        InitialToken.uses_left > 0,
        InitialToken.expires_at > now,
    )
