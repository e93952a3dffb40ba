"""The token service: what a redeemed code or refresh token gives, what goes through the front channel, and the record of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from consent import releases
from idp.jose.encoding import half_hash
from idp.oidc import service
from idp.oidc.answers import signed_for
from idp.oidc.authorization_details import kept, narrowed, read_kept
from idp.oidc.binding import token_type
from idp.oidc.errors import Refusal
from idp.oidc.lasting import Left, left
from idp.oidc.released import id_token_claims
from idp.oidc.resources import Target, signed_token, target_of
from idp.oidc.subjects import note_told, sid_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from idp.clients.registry import Client
    from idp.oidc.authorization_details import Detail
    from idp.oidc.provider import Provider
    from idp.oidc.request import AuthorizationRequest


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens of a family, just written; `signed` makes the answer once the write is durable."""

    #: None when an ID token is all that is given.
    minted: service.Minted | None
    family: Any
    subject: str
    #: Of the family, and of the access token, which is narrower when it is for one API.
    scope: str
    token_scope: str
    bound_to: str | None
    #: What the ID token says about the resident.
    claims: Mapping[str, Any] = field(default_factory=dict)
    #: The permissions that the access token carries (RFC 9396 §7).
    details: Sequence[Detail] = ()
    is_refresh: bool = False

    def signed(self, provider: Provider, client: Client, *, now: int) -> dict[str, Any]:
        """The token answer (RFC 6749 §5.1, OIDC Core §3.1.3.3)."""
        assert self.minted is not None
        body: dict[str, Any] = {
            "access_token": self.minted.access_token,
            "token_type": token_type(self.bound_to),
            "expires_in": self.minted.expires_for,
            **self._said_of_access(),
        }
        if self.minted.refresh_token is not None:
            body["refresh_token"] = self.minted.refresh_token
        if "openid" in self.scope.split():
            hashed = {"at_hash": self.minted.access_token}
            body["id_token"] = self._id_token(provider, client, hashed, now=now)
        return body

    def in_front(
        self, provider: Provider, client: Client, request: AuthorizationRequest, *, code: str | None, now: int
    ) -> dict[str, str]:
        """What goes through the front channel beside a code (OIDC Core §3.2.2.5, §3.3.2.5).

        `s_hash` is of Financial-grade API 1.0, and keeps the state from being exchanged.
        """
        found: dict[str, str] = {}
        hashed = {"c_hash": code, "s_hash": request.state}
        if self.minted is not None:
            hashed["at_hash"] = self.minted.access_token
            found = {
                "access_token": self.minted.access_token,
                "token_type": token_type(self.bound_to),
                "expires_in": str(self.minted.expires_for),
                **{
                    name: one if isinstance(one, str) else orjson.dumps(one).decode()
                    for name, one in self._said_of_access().items()
                },
            }
        if "id_token" in request.response_type.split(" "):
            found["id_token"] = self._id_token(provider, client, hashed, now=now)
        return found

    def _said_of_access(self) -> dict[str, Any]:
        """For what the access token is (RFC 6749 §5.1, RFC 9396 §7); one for a permission alone has no scope."""
        scope = {"scope": self.token_scope} if self.token_scope else {}
        return {**scope, "authorization_details": self.details} if self.details else scope

    def _id_token(
        self, provider: Provider, client: Client, hashed: Mapping[str, str | None], *, now: int
    ) -> str:
        """Who signed in, when and how (OIDC Core §2), and the half hashes of what goes with it."""
        family, alg = self.family, client.id_token_alg
        claims = {
            **self.claims,
            "iss": provider.issuer,
            "sub": self.subject,
            "aud": client.client_id,
            "iat": now,
            "exp": now + provider.context.settings.tokens.id_token_for,
            "auth_time": family.auth_time,
            "acr": family.acr,
            "amr": family.amr.split(),
            "sid": sid_for(provider.context.vault, client.client_id, family.sid),
            **{name: half_hash(value, alg) for name, value in hashed.items() if value is not None},
        }
        if family.nonce is not None and not self.is_refresh:  # OIDC Core §12.2
            claims["nonce"] = family.nonce
        return signed_for(provider, client, claims, what="id_token", alg=alg)


def issue(
    provider: Provider,
    connection: Any,
    client: Client,
    family: Any,
    *,
    grant: Any = None,
    scope: str,
    now: int,
    resource: str | None = None,
    refresh: tuple[str, int] | None = None,
    is_refresh: bool = False,
    bound_to: str | None = None,
    asked_details: str | None = None,
) -> Issued | None:
    """Mint for a family and record the release of the ID token; None when grant or account has ended.

    `grant` is the row of `service.read_grant` where it was read with the family (`service.with_grant`).
    A code gives a refresh token when `offline_access` was granted; a refresh token gives its successor, if `refresh`
    names one, with the same scope and end (RFC 6749 §6). `asked_details` narrows the permissions of this one access
    token (RFC 9396 §6). Of `scope` counts what the client may have today.

    Raises:
        Refusal: invalid_scope when that is nothing, invalid_target, invalid_authorization_details; nothing is minted then, and the transaction must not stand.
    """
    grant = grant or service.read_grant(connection, family.grant_id, now=now)
    standing = _standing(provider, connection, client, grant, now=now)
    if standing is None:
        return None
    scope = _allowed(client, scope)
    if not is_refresh and "offline_access" in scope.split():
        refresh = (scope, family.expires_at)
    details = narrowed(asked_details, family.authorization_details)
    target = target_of(provider, client, resource, scope, details)
    minted = _mint(
        provider,
        connection,
        client,
        grant.subject,
        family,
        target,
        refresh=refresh,
        bound_to=bound_to,
        now=now,
    )
    if grant.told_at is None:
        note_told(connection, family.grant_id, now=now)
    claims: dict[str, Any] = {}
    if "openid" in scope.split():
        claims = id_token_claims(provider, connection, client, grant, family, standing.claims, now=now)
        _record(provider, connection, client, grant, family, Left(sorted(claims), standing.purposes), now=now)
    return Issued(
        minted, family, grant.subject, scope, target.scope, bound_to, claims, target.details, is_refresh
    )


def issue_in_front(
    provider: Provider,
    connection: Any,
    client: Client,
    family: Any,
    wanted: Collection[str],
    *,
    now: int,
) -> Issued:
    """Mint for an authorization just written what its response type asks for besides a code, and record the release.

    Where no access token will ever come, the claims of the scopes are in the ID token (OIDC Core §5.4).

    Raises:
        Refusal: access_denied when the grant or the account has ended, invalid_scope, invalid_target.
    """
    grant = service.read_grant(connection, family.grant_id, now=now)
    standing = _standing(provider, connection, client, grant, now=now)
    if standing is None:
        raise Refusal("access_denied", "What the resident agreed to has ended")
    details, scope = read_kept(family.authorization_details), _allowed(client, family.scope)
    target = target_of(provider, client, family.resource, scope, details)
    minted = None
    if "token" in wanted:
        minted = _mint(provider, connection, client, grant.subject, family, target, now=now)
    claims: dict[str, Any] = {}
    if "id_token" in wanted:
        by_scope = scope.split() if {*wanted} == {"id_token"} else ()
        claims = id_token_claims(
            provider, connection, client, grant, family, standing.claims, scope=by_scope, now=now
        )
        _record(provider, connection, client, grant, family, Left(sorted(claims), standing.purposes), now=now)
    return Issued(minted, family, grant.subject, scope, target.scope, None, claims, target.details)


def _allowed(client: Client, granted: str) -> str:
    """What is left of a scope; a client that lost all of it since gets no token for nothing."""
    allowed = client.get_allowed_scope(granted)
    if granted and not allowed:
        raise Refusal("invalid_scope", "Nothing of the scope is this client's any more")
    return allowed


def _standing(provider: Provider, connection: Any, client: Client, grant: Any, *, now: int) -> Left | None:
    """What is left of a grant; None when it or the account has ended."""
    if grant is None or grant.data_key is None:
        return None
    return left(provider, connection, client.client_id, grant, now=now)


def _mint(  # noqa: PLR0917
    provider: Provider,
    connection: Any,
    client: Client,
    subject: str,
    family: Any,
    target: Target,
    *,
    refresh: tuple[str, int] | None = None,
    bound_to: str | None = None,
    now: int,
) -> service.Minted:
    """The access token for what it is for: a JWT, or one that says nothing; and a refresh token where one is named."""
    access_token = None
    if target.is_jwt:
        access_token = signed_token(
            provider, target, client=client, subject=subject, family=family, bound_to=bound_to, now=now
        )
    return service.mint(
        connection,
        client_id=client.client_id,
        scope=target.scope,
        authorization_id=family.id,
        refresh=refresh,
        settings=provider.context.settings.tokens,
        now=now,
        access_token=access_token,
        resource=target.resource,
        authorization_details=kept(target.details),
        binding=bound_to,
        # A confidential client proves itself at every refresh, and may change its key (RFC 9449 §5, RFC 8705 §4).
        refresh_binding=bound_to if client.is_public else None,
    )


def _record(  # noqa: PLR0917
    provider: Provider,
    connection: Any,
    client: Client,
    grant: Any,
    family: Any,
    handed: Left,
    *,
    now: int,
) -> None:
    """The release of an ID token: the pseudonym, and the claims in it."""
    releases.record(
        connection,
        log_key=provider.context.vault.open_data_key(grant.data_key).log_key(),
        resident_id=grant.resident_id,
        client_id=client.client_id,
        kind="id_token",
        claims=handed.claims,
        purpose_ids=handed.purposes,
        authorization_id=str(family.id),
        now=now,
    )
