"""Refresh tokens: found, spent, and what it means when one is used twice (RFC 6749 §6, RFC 9700 §4.14.2)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import bindparam, select, update

from idp.oidc.models import AccessToken, Authorization, RefreshToken
from idp.oidc.service import FAMILY, REVOKE_FAMILY, with_grant
from idp.web.cookies import digest

_FIND_REFRESH = (
    select(
        RefreshToken.scope.label("token_scope"),
        RefreshToken.spent_at,
        RefreshToken.expires_at.label("token_expires_at"),
        RefreshToken.confirmation,
        Authorization.revoked_at,
        *FAMILY,
    )
    .join(Authorization, Authorization.id == RefreshToken.authorization_id)
    .where(
        RefreshToken.token_hash == bindparam("token_hash_"), RefreshToken.client_id == bindparam("client_id_")
    )
)
_FIND_WITH_GRANT = with_grant(_FIND_REFRESH)
_SPEND_REFRESH = (
    update(RefreshToken)
    .where(RefreshToken.token_hash == bindparam("token_hash_"), RefreshToken.spent_at.is_(None))
    .values(spent_at=bindparam("at"))
)


class RefreshRefused(Enum):
    """Why a refresh token was not redeemed."""

    UNKNOWN = "unknown"
    REUSED = "reused"


def find_refresh(connection: Any, unverified_token: str, *, client_id: str) -> Any:
    """The row of a refresh token of this client with its family, or None."""
    return connection.execute(
        _FIND_REFRESH, {"token_hash_": digest(unverified_token), "client_id_": client_id}
    ).first()


def find_with_grant(connection: Any, unverified_token: str, *, client_id: str, now: int) -> Any:
    """As `find_refresh`, with what `service.read_grant` reads; its `data_key` is None when grant or account has ended."""
    return connection.execute(
        _FIND_WITH_GRANT, {"token_hash_": digest(unverified_token), "client_id_": client_id, "at": now}
    ).first()


def spend_refresh(connection: Any, unverified_token: str, row: Any, *, now: int) -> RefreshRefused | None:
    """Spend a refresh token found before; None when it was ours to spend. Reuse kills the family (RFC 9700 §4.14.2)."""
    if row.revoked_at is not None:
        return RefreshRefused.UNKNOWN
    if row.token_expires_at <= now:
        # Dead for good, whatever a clock says that is set back afterwards (K40).
        connection.execute(REVOKE_FAMILY, {"id_": row.id, "at": now})
        return RefreshRefused.UNKNOWN
    spent = connection.execute(_SPEND_REFRESH, {"token_hash_": digest(unverified_token), "at": now})
    if spent.rowcount == 1:
        return None
    connection.execute(REVOKE_FAMILY, {"id_": row.id, "at": now})
    return RefreshRefused.REUSED


def is_refresh_good(row: Any, *, now: int) -> bool:
    """Whether a refresh token that is not spent by its use is good (FAPI 2.0 §5.3.2.1)."""
    return bool(row.revoked_at is None and row.spent_at is None and row.token_expires_at > now)


def revoke_token(connection: Any, unverified_token: str, *, client_id: str, now: int) -> None:
    """End a token of this client (RFC 7009 §2.1): a refresh token ends its family, an access token itself."""
    row = find_refresh(connection, unverified_token, client_id=client_id)
    if row is not None:
        connection.execute(REVOKE_FAMILY, {"id_": row.id, "at": now})
        return
    connection.execute(
        update(AccessToken)
        .where(
            AccessToken.token_hash == digest(unverified_token),
            AccessToken.client_id == client_id,
            AccessToken.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
