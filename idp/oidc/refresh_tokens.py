"""Refresh tokens: found, spent, and what it means when one is used twice (RFC 6749 §6, RFC 9700 §4.14.2)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from idp.oidc.models import AccessToken, Authorization, RefreshToken
from idp.oidc.service import FAMILY, REVOKE_FAMILY, with_grant
from idp.statements import ahead
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
_FIND_WITH_GRANT = ahead(with_grant(_FIND_REFRESH))
_SPEND_REFRESH = (
    update(RefreshToken)
    .where(
        RefreshToken.token_hash == bindparam("token_hash_"),
        RefreshToken.client_id == bindparam("client_id_"),
        RefreshToken.spent_at.is_(None),
        RefreshToken.expires_at > bindparam("at"),
        or_(RefreshToken.confirmation.is_(None), RefreshToken.confirmation == bindparam("bound_to_")),
    )
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


def find_good(
    connection: Any, unverified_token: str, *, client_id: str, bound_to: str | None, now: int
) -> Any:
    """The row of a refresh token that is not spent by its use (FAPI 2.0 §5.3.2.1), or why it is not good.

    The row is that of `find_refresh` with what `service.read_grant` reads; `data_key` is None when grant or account has
    ended. `bound_to` is the key that the client proved to hold.
    """
    asked = {"token_hash_": digest(unverified_token), "client_id_": client_id, "at": now}
    row = connection.execute(_FIND_WITH_GRANT, asked).first()
    if not _is_known(row, bound_to) or row.spent_at is not None or row.token_expires_at <= now:
        return RefreshRefused.UNKNOWN
    return row


def spend_refresh(
    connection: Any, unverified_token: str, *, client_id: str, bound_to: str | None, now: int
) -> Any:
    """As `find_good`, for one that is spent by its use. Reuse kills the family (RFC 9700 §4.14.2)."""
    asked = {"token_hash_": digest(unverified_token), "client_id_": client_id, "at": now}
    found = connection.execute(_FIND_WITH_GRANT, asked)
    is_spent_now = connection.execute(_SPEND_REFRESH, {**asked, "bound_to_": bound_to}).rowcount == 1
    row = found.first()
    if not _is_known(row, bound_to):
        return RefreshRefused.UNKNOWN
    if is_spent_now:
        return row
    connection.execute(REVOKE_FAMILY, {"id_": row.id, "at": now})
    # One that is too old is dead for good, whatever a clock says that is set back afterwards (K40).
    return RefreshRefused.UNKNOWN if row.token_expires_at <= now else RefreshRefused.REUSED


def _is_known(row: Any, bound_to: str | None) -> bool:
    """Whether the token is of a family that lives, and bound to no other key."""
    return row is not None and row.confirmation in (None, bound_to) and row.revoked_at is None


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
