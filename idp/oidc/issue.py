"""The token service: what a redeemed code or refresh token gives, and the record of it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consent import releases
from idp.oidc import service
from idp.oidc.answers import signed_for
from idp.oidc.binding import jkt_of, token_type
from idp.oidc.resources import Target, signed_token, target_of

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens of a family, just written; `signed` makes the answer once the write is durable."""

    minted: service.Minted
    family: Any
    subject: str
    #: Of the family, and of the access token, which is narrower when it is for one API.
    scope: str
    token_scope: str
    bound_to: str | None

    def signed(self, provider: Provider, client: Client, *, now: int) -> dict[str, Any]:
        """The token answer (RFC 6749 §5.1, OIDC Core §3.1.3.3)."""
        body: dict[str, Any] = {
            "access_token": self.minted.access_token,
            "token_type": token_type(self.bound_to),
            "expires_in": self.minted.expires_for,
            "scope": self.token_scope,
        }
        if self.minted.refresh_token is not None:
            body["refresh_token"] = self.minted.refresh_token
        if "openid" in self.scope.split():
            body["id_token"] = self._id_token(provider, client, now=now)
        return body

    def _id_token(self, provider: Provider, client: Client, *, now: int) -> str:
        """Who signed in, when and how, and nothing else about them (OIDC Core §2)."""
        family = self.family
        claims = {
            "iss": provider.issuer,
            "sub": self.subject,
            "aud": client.client_id,
            "iat": now,
            "exp": now + provider.context.settings.tokens.id_token_for,
            "auth_time": family.auth_time,
            "acr": family.acr,
            "amr": family.amr.split(),
            "sid": family.sid,
            "at_hash": half_hash(self.minted.access_token),
        }
        if family.nonce is not None:
            claims["nonce"] = family.nonce
        return signed_for(provider, client, claims, what="id_token", alg=client.id_token_alg)


def issue(
    provider: Provider,
    connection: Any,
    client: Client,
    family: Any,
    *,
    scope: str,
    now: int,
    resource: str | None = None,
    refresh: tuple[str, int] | None = None,
    is_refresh: bool = False,
    bound_to: str | None = None,
) -> Issued | None:
    """Mint for a family and record the release of the ID token; None when grant or account has ended.

    A code gives a refresh token when `offline_access` was granted; a refresh token gives its successor, if `refresh`
    names one, with the same scope and end (RFC 6749 §6).

    Raises:
        Refusal: invalid_target; nothing is minted then, and the transaction must not stand.
    """
    grant = service.read_grant(connection, family.grant_id)
    if grant is None or grant.data_key is None:
        return None
    if not is_refresh and "offline_access" in scope.split():
        refresh = (scope, family.expires_at)
    target = target_of(provider, client, resource, scope)
    minted = service.mint(
        connection,
        client_id=client.client_id,
        scope=target.scope,
        authorization_id=family.id,
        refresh=refresh,
        settings=provider.context.settings.tokens,
        now=now,
        access_token=_jwt(provider, client, target, grant.subject, family, bound_to, now),
        resource=target.resource,
        binding=bound_to,
        # A confidential client proves itself at every refresh, and may change its key (RFC 9449 §5).
        refresh_binding=bound_to if client.is_public and jkt_of(bound_to) else None,
    )
    if "openid" in scope.split():
        _record(provider, connection, client, grant, family, now=now)
    return Issued(minted, family, grant.subject, scope, target.scope, bound_to)


def _jwt(  # noqa: PLR0917
    provider: Provider,
    client: Client,
    target: Target,
    subject: str,
    family: Any,
    bound_to: str | None,
    now: int,
) -> str | None:
    """The access token if it is to be a JWT; None for one that says nothing."""
    if not target.is_jwt:
        return None
    return signed_token(
        provider, target, client=client, subject=subject, family=family, bound_to=bound_to, now=now
    )


def _record(
    provider: Provider, connection: Any, client: Client, grant: Any, family: Any, *, now: int
) -> None:
    """The release of the ID token: nothing but the pseudonym."""
    releases.record(
        connection,
        log_key=provider.context.vault.open_data_key(grant.data_key).log_key(),
        resident_id=grant.resident_id,
        client_id=client.client_id,
        kind="id_token",
        claims=(),
        purpose_ids=grant.purposes.split(),
        authorization_id=str(family.id),
        now=now,
    )


def half_hash(value: str) -> str:
    """at_hash for SHA-256 algorithms (OIDC Core §3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()
