"""Codes, tokens and grants: what is written and read, in statements built once.

Every function takes a connection (a session, or the fast connection of the hot endpoints) and `now`, and
never commits. What can be used once is spent by one conditional write, before anything is minted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, or_, select, update

from idp.accounts.models import Attribute, Resident
from idp.login.models import BrowserSession
from idp.oidc.lasting import is_not_over
from idp.oidc.models import AccessToken, Authorization, Grant, RefreshToken
from idp.statements import ahead, insert_of, quiet
from idp.web.cookies import digest, new_secret

if TYPE_CHECKING:
    from idp.settings import TokenSettings
    from idp.statements import FastResult

#: How far the clocks of two nodes may differ, in seconds.
CLOCK_LEEWAY = 60

# All that a code is bound to stands in the condition, so a thief without the verifier can neither burn a
# code nor be told apart from one who guessed (RFC 6749 §4.1.3, RFC 7636 §4.6).
_BOUND_TO = (
    Authorization.code_hash == bindparam("code_hash_"),
    Authorization.client_id == bindparam("client_id_"),
    Authorization.redirect_uri == bindparam("redirect_uri_"),
    Authorization.code_challenge == bindparam("code_challenge_"),
)
#: What tokens are made from: the columns of an authorization.
FAMILY = (
    Authorization.id,
    Authorization.grant_id,
    Authorization.client_id,
    Authorization.scope,
    Authorization.nonce,
    Authorization.sid,
    Authorization.auth_time,
    Authorization.acr,
    Authorization.amr,
    Authorization.expires_at,
    Authorization.resource,
    Authorization.asked_claims,
    Authorization.authorization_details,
)
# A change of credentials ends every session and every family that it sees; a code that was made in that very moment it
# cannot see. Said with EXISTS, a planner could begin with all sessions.
_IN_A_LIVE_SESSION = (
    select(BrowserSession.ended_at.is_(None)).where(BrowserSession.sid == Authorization.sid).scalar_subquery()
)


def _has_gone_on() -> Any:
    """Whether the session of a code has ended, but one in whose place it stands lives (`idp.login.endings`)."""
    line = (
        select(BrowserSession.sid, BrowserSession.ended_at)
        .join(Authorization, Authorization.sid == BrowserSession.sid)
        .where(Authorization.code_hash == bindparam("code_hash_"))
        .cte("line", recursive=True)
    )
    line = line.union_all(
        select(BrowserSession.sid, BrowserSession.ended_at).join(
            line, BrowserSession.former_sid == line.c.sid
        )
    )
    return select(line.c.sid).where(line.c.ended_at.is_(None)).exists()


def _spend(is_signed_in: Any) -> Any:
    return (
        update(Authorization)
        .where(
            *_BOUND_TO,
            Authorization.spent_at.is_(None),
            Authorization.revoked_at.is_(None),
            Authorization.code_expires_at > bindparam("at"),
            # A node whose clock is behind must not revive what has ended (K40).
            Authorization.created_at <= bindparam("at") + CLOCK_LEEWAY,
            or_(Authorization.dpop_jkt.is_(None), Authorization.dpop_jkt == bindparam("jkt_")),
            is_signed_in,
        )
        .values(spent_at=bindparam("at"))
        .returning(*FAMILY)
    )


#: The usual way first; who signed in again since is looked for when that redeems nothing.
_SPEND_CODE = (_spend(_IN_A_LIVE_SESSION), _spend(_has_gone_on()))
_FIND_SPENT_CODE = select(Authorization.id, Authorization.spent_at).where(*_BOUND_TO)
#: Ends a family; used wherever one is found to be stolen.
REVOKE_FAMILY = (
    update(Authorization)
    .where(Authorization.id == bindparam("id_"), Authorization.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
#: Of a grant that is found by its id. Said the plain way, `revoked_at` would let a planner that knows no figures yet walk
#: along the index of all live grants instead, which is for finding one by resident and client.
_IS_LIVE = and_(func.coalesce(Grant.revoked_at, 0) == 0, is_not_over(bindparam("at")))
_HAS_ACCOUNT = and_(Resident.id == Grant.resident_id, Resident.state == "active")
#: What of a grant, and of its resident, tokens are made from.
_GRANT = (
    Grant.resident_id,
    Grant.subject,
    Grant.told_at,
    Grant.claims,
    Grant.purposes,
    Grant.lapses,
    Resident.data_key,
)
_READ_GRANT = select(*_GRANT).join(Resident, _HAS_ACCOUNT).where(Grant.id == bindparam("grant_id_"), _IS_LIVE)


def with_grant(found: Any) -> Any:
    """A query about authorizations that reads what `read_grant` would, too; `data_key` is None where that gives None."""
    is_its_grant = and_(Grant.id == Authorization.grant_id, _IS_LIVE)
    return found.outerjoin(Grant, is_its_grant).outerjoin(Resident, _HAS_ACCOUNT).add_columns(*_GRANT)


_GRANT_OF_CODE = ahead(
    with_grant(select(Authorization.id).where(Authorization.code_hash == bindparam("code_hash_")))
)
_INSERT_ACCESS = quiet(
    insert_of(
        AccessToken,
        "token_hash",
        "authorization_id",
        "client_id",
        "scope",
        "confirmation",
        "resource",
        "authorization_details",
        "issued_at",
        "expires_at",
    )
)
_INSERT_REFRESH = quiet(
    insert_of(
        RefreshToken,
        "token_hash",
        "authorization_id",
        "client_id",
        "scope",
        "confirmation",
        "issued_at",
        "expires_at",
    )
)
_LIVE_TOKEN = (
    AccessToken.token_hash == bindparam("token_hash_"),
    AccessToken.expires_at > bindparam("at"),
    AccessToken.issued_at <= bindparam("at") + CLOCK_LEEWAY,
    AccessToken.revoked_at.is_(None),
)
_FIND_OWN_TOKEN = select(
    AccessToken.client_id,
    AccessToken.scope,
    AccessToken.confirmation,
    AccessToken.resource,
    AccessToken.issued_at,
    AccessToken.expires_at,
).where(*_LIVE_TOKEN, AccessToken.authorization_id.is_(None))
_RESIDENT_TOKEN = (
    select(AccessToken.client_id)
    .join(Authorization, Authorization.id == AccessToken.authorization_id)
    .join(Grant, Grant.id == Authorization.grant_id)
    .join(Resident, _HAS_ACCOUNT)
    .where(*_LIVE_TOKEN, Authorization.revoked_at.is_(None), _IS_LIVE)
)
_TOKEN_COLUMNS = (
    AccessToken.client_id,
    AccessToken.scope,
    AccessToken.confirmation,
    AccessToken.resource,
    AccessToken.authorization_details,
    AccessToken.issued_at,
    AccessToken.expires_at,
    AccessToken.released_at,
    AccessToken.authorization_id,
    Grant.resident_id,
    Grant.subject,
    Grant.claims,
    Grant.purposes,
    Grant.lapses,
    Authorization.asked_claims,
    Authorization.auth_time,
    Authorization.acr,
    Resident.data_key,
    Resident.changed_at,
)
_FIND_RESIDENT_TOKEN = _RESIDENT_TOKEN.with_only_columns(*_TOKEN_COLUMNS)
_FIND_WITH_ATTRIBUTES = _RESIDENT_TOKEN.outerjoin(
    Attribute, Attribute.resident_id == Resident.id
).with_only_columns(*_TOKEN_COLUMNS, Attribute.name, Attribute.value, Attribute.verified_at)
_FIRST_RELEASE = (
    update(AccessToken)
    .where(AccessToken.token_hash == bindparam("token_hash_"), AccessToken.released_at.is_(None))
    .values(released_at=bindparam("at"))
)


class CodeRefused(Enum):
    """Why a code was not redeemed."""

    UNKNOWN = "unknown"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Minted:
    """Tokens just made; this is the only time they are known in the clear."""

    access_token: str
    refresh_token: str | None
    expires_for: int


def spend_code(
    connection: Any,
    unverified_code: str,
    *,
    client_id: str,
    redirect_uri: str,
    code_challenge: str,
    jkt: str | None = None,
    now: int,
) -> Any:
    """Redeem a code: the row of its authorization, or why not. A replay kills the family (RFC 6749 §4.1.2).

    `jkt` is the key that the client proved to hold: a code that is bound to one needs that one (RFC 9449 §10).
    """
    bound = {
        "code_hash_": digest(unverified_code),
        "client_id_": client_id,
        "redirect_uri_": redirect_uri,
        "code_challenge_": code_challenge,
    }
    for spend in _SPEND_CODE:
        family = connection.execute(spend, {**bound, "jkt_": jkt, "at": now}).first()
        if family is not None:
            return family
        known = connection.execute(_FIND_SPENT_CODE, bound).first()
        if known is None:
            break
        if known.spent_at is not None:
            connection.execute(REVOKE_FAMILY, {"id_": known.id, "at": now})
            return CodeRefused.REPLAYED
    return CodeRefused.UNKNOWN


def grant_of_code(connection: Any, unverified_code: str, *, now: int) -> FastResult:
    """What `with_grant` reads, asked ahead of `spend_code`: look at it only when that has redeemed the code."""
    asked = {"code_hash_": digest(unverified_code), "at": now}
    found: FastResult = connection.execute(_GRANT_OF_CODE, asked)
    return found


def read_grant(connection: Any, grant_id: str, *, now: int) -> Any:
    """Subject, claims, purposes and data key of a grant that is live, of a resident who is active; else None.

    Claims and purposes are those it was given with: `lasting.left` says which are left, and whether any are.
    """
    return connection.execute(_READ_GRANT, {"grant_id_": grant_id, "at": now}).first()


def mint(
    connection: Any,
    *,
    client_id: str,
    scope: str,
    authorization_id: int | None,
    refresh: tuple[str, int] | None,
    settings: TokenSettings,
    now: int,
    access_token: str | None = None,
    resource: str | None = None,
    authorization_details: str | None = None,
    binding: str | None = None,
    refresh_binding: str | None = None,
) -> Minted:
    """Make an access token and, with `refresh` (its scope and end), a refresh token; only hashes are kept.

    `access_token` is a JWT that was made already. Bindings are texts of `idp.oidc.binding`.
    """
    access_token = access_token or new_secret()
    connection.execute(
        _INSERT_ACCESS,
        {
            "new_token_hash": digest(access_token),
            "new_authorization_id": authorization_id,
            "new_client_id": client_id,
            "new_scope": scope,
            "new_confirmation": binding,
            "new_resource": resource,
            "new_authorization_details": authorization_details,
            "new_issued_at": now,
            "new_expires_at": now + settings.access_for,
        },
    )
    refresh_token = None
    if refresh is not None:
        refresh_scope, refresh_until = refresh
        refresh_token = new_secret()
        connection.execute(
            _INSERT_REFRESH,
            {
                "new_token_hash": digest(refresh_token),
                "new_authorization_id": authorization_id,
                "new_client_id": client_id,
                "new_scope": refresh_scope,
                "new_confirmation": refresh_binding,
                "new_issued_at": now,
                "new_expires_at": refresh_until,
            },
        )
    return Minted(access_token, refresh_token, settings.access_for)


def find_token(connection: Any, unverified_token: str, *, now: int) -> Any:
    """A live access token of a resident, with what its grant says; None when anything above it has ended."""
    return connection.execute(
        _FIND_RESIDENT_TOKEN, {"token_hash_": digest(unverified_token), "at": now}
    ).first()


def find_own_token(connection: Any, unverified_token: str, *, now: int) -> Any:
    """A live access token of a client acting for itself, or None."""
    return connection.execute(_FIND_OWN_TOKEN, {"token_hash_": digest(unverified_token), "at": now}).first()


def find_token_with_attributes(connection: Any, unverified_token: str, *, now: int) -> list[Any]:
    """As `find_token`, one row per attribute of the resident; empty when the token is dead."""
    rows: list[Any] = connection.execute(
        _FIND_WITH_ATTRIBUTES, {"token_hash_": digest(unverified_token), "at": now}
    ).all()
    return rows


def is_first_release(connection: Any, unverified_token: str, *, now: int) -> bool:
    """Whether this token reads userinfo for the first time; true for exactly one of parallel callers."""
    changed = connection.execute(_FIRST_RELEASE, {"token_hash_": digest(unverified_token), "at": now})
    return bool(changed.rowcount == 1)


def revoke_grants(connection: Any, resident_id: str, *, client_id: str | None, now: int) -> int:
    """End what a resident authorised, for one client or for all; every token under it is dead with it."""
    condition = [Grant.resident_id == resident_id, Grant.revoked_at.is_(None)]
    if client_id is not None:
        condition.append(Grant.client_id == client_id)
    ended: int = connection.execute(update(Grant).where(*condition).values(revoked_at=now)).rowcount
    return ended
