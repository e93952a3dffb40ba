"""Resource servers: APIs for which a client may ask for a token (RFC 8707), and the form it has (RFC 9068).

A resource server is a client that protects scopes and has registered the identifier of its API.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from idp.oidc import binding
from idp.oidc.answers import signer_of
from idp.oidc.authorization_details import for_resource
from idp.oidc.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.clients.registry import Client
    from idp.oidc.authorization_details import Detail
    from idp.oidc.provider import Provider

USERINFO: Final = "/userinfo"
#: Where the metadata of a resource of ours stands, before the resource's own path (RFC 9728 §3.1).
METADATA: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Target:
    """For whom a token is. `resource` None is ourselves: userinfo, and APIs that introspect."""

    resource: str | None
    scope: str
    is_jwt: bool
    alg: str
    #: The permissions that it carries (RFC 9396 §7).
    details: Sequence[Detail] = ()


def target_of(
    provider: Provider, client: Client, resource: str | None, scope: str, details: Sequence[Detail] = ()
) -> Target:
    """What a token of this client for this resource may say; for an API only what that API protects.

    Raises:
        Refusal: invalid_target for an API that is not known, or that none of these scopes and permissions is for.
    """
    if resource is None:
        return Target(None, scope, client.details.has_jwt_tokens, client.id_token_alg, details)
    server = provider.clients.find_resource(resource)
    if server is None:
        raise Refusal("invalid_target", "resource is not known here")
    meant = " ".join(name for name in scope.split() if name in server.protects_scopes)
    own = for_resource(details, server)
    if not meant and not own:
        raise Refusal("invalid_target", "None of the scopes is for this resource")
    # What the API likes, unless the client's profile has nothing signed with it (FAPI 2.0 §5.4.1).
    alg = server.id_token_alg if server.id_token_alg in client.profile.own_algs else client.id_token_alg
    return Target(resource, meant, server.details.has_jwt_tokens, alg, own)


def is_own(provider: Provider, resource: str) -> bool:
    """Whether somebody who names this means ourselves, as if they had named nothing: by our metadata (RFC 9728 §2)."""
    return resource == provider.issuer or resource in provider.addresses(USERINFO)


def narrowed(provider: Provider, asked: str | None, granted: str | None = None) -> str | None:
    """The resource a token is for, None for ours: the one asked for now, or at the start; never another (RFC 8707 §2.2).

    Raises:
        Refusal: invalid_target.
    """
    if asked is None:
        return granted
    meant = None if is_own(provider, asked) else asked
    if granted is not None and meant != granted:
        raise Refusal("invalid_target", "resource is not the one that was granted")
    return meant


def signed_token(
    provider: Provider,
    target: Target,
    *,
    client: Client,
    subject: str,
    family: Any,
    bound_to: str | None,
    now: int,
) -> str:
    """A JWT access token (RFC 9068 §2.2). Its `sub` is the one that the client knows: it can read it, too.

    `family` is the row of the authorization; None for a client acting for itself.
    """
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "sub": subject,
        "aud": target.resource or provider.issuer,
        "client_id": client.client_id,
        "iat": now,
        "exp": now + provider.context.settings.tokens.access_for,
        "jti": secrets.token_urlsafe(32),
    }
    if target.scope:
        claims["scope"] = target.scope
    if target.details:
        claims["authorization_details"] = target.details
    if family is not None:
        claims |= {"auth_time": family.auth_time, "acr": family.acr, "amr": family.amr.split()}
    if bound_to is not None:
        claims["cnf"] = binding.confirmation(bound_to)
    return signer_of(provider, target.alg, refusal="invalid_target").sign(claims, typ="at+jwt")
