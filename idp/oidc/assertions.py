"""Client assertions: a JWT that the client signs with its secret or its key (RFC 7523 §3, OIDC Core §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc.jwk import OctKey

from idp.clients.profiles import ASSERTION_METHODS, SECRET_ALGORITHMS
from idp.clients.service import open_secret
from idp.jose import texts as jose
from idp.jose.texts import NotReadable
from idp.oidc.errors import Refusal
from idp.oidc.service import CLOCK_LEEWAY
from idp.oidc.used_once import use_once

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: No assertion may be good for longer than this from now, in seconds (K12); clocks may differ besides.
LONGEST_FOR = 300
#: What an assertion may call itself: a JWT of another kind is none (RFC 8725 §3.11).
_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})


def authenticate_by_assertion(
    provider: Provider, unverified_assertion: str, body_id: str | None, *, path: str
) -> Client:
    """The client that signed an assertion for this endpoint; its `jti` is spent.

    Raises:
        Refusal: invalid_client, for whatever is wrong.
    """
    try:
        unverified = jose.read(unverified_assertion)
        client = _claimed_client(provider, unverified.claims, body_id)
        claims = jose.verify(unverified, _keys(provider, client, unverified), algorithms=_algorithms(client))
        _check(provider, client, unverified.typ, claims, path=path)
    except NotReadable as error:
        raise Refusal("invalid_client", f"The client assertion is refused. {error}", status=401) from None
    return client


def _claimed_client(provider: Provider, unverified_claims: dict[str, Any], body_id: str | None) -> Client:
    """The client as which it presents itself, before its signature is checked."""
    unverified_id = jose.text_claim(unverified_claims, "sub")
    if unverified_claims.get("iss") != unverified_id or body_id not in (None, unverified_id):
        raise NotReadable("iss and sub must both be the client_id")
    client = provider.clients.find(unverified_id)
    if client is None or client.auth_method not in ASSERTION_METHODS:
        raise NotReadable("Its signature is not valid")
    return client


def _algorithms(client: Client) -> Collection[str]:
    own = client.details.token_endpoint_auth_signing_alg
    if client.auth_method == "client_secret_jwt":
        return SECRET_ALGORITHMS
    return (own,) if own else client.profile.signing_algs


def _keys(provider: Provider, client: Client, unverified: jose.Unverified) -> Sequence[Any]:
    if client.auth_method == "client_secret_jwt":
        assert client.secret_sealed is not None
        secret = open_secret(provider.context.vault, client.client_id, client.secret_sealed)
        return [OctKey.import_key(secret)]
    if unverified.alg not in _algorithms(client):
        return ()  # nothing is fetched for a text that is refused in any case
    return provider.client_keys.of(client, kid=unverified.kid, now=provider.context.now())


def _check(provider: Provider, client: Client, typ: str, claims: dict[str, Any], *, path: str) -> None:
    """RFC 7523 §3, with the audience by the client's profile; last, the `jti` is spent."""
    now = provider.context.now()
    if typ not in _TYPES:
        raise NotReadable("It is a token of another kind")
    if not _is_for_us(provider, client, claims.get("aud"), path):
        raise NotReadable("aud is not this server")
    expires_at = jose.instant(claims, "exp")
    if expires_at is None or expires_at <= now:
        raise NotReadable("It has expired, or has no exp")
    if expires_at > now + LONGEST_FOR + CLOCK_LEEWAY:
        raise NotReadable(f"exp is more than {LONGEST_FOR} seconds ahead")
    for name in ("iat", "nbf"):
        if (jose.instant(claims, name) or 0) > now + CLOCK_LEEWAY:
            raise NotReadable(f"{name} is in the future")
    jti = jose.text_claim(claims, "jti")
    until = expires_at + CLOCK_LEEWAY
    if not use_once(provider.context.database.fast, "assertion", client.client_id, jti, expires_at=until):
        raise NotReadable("It was used before")


def _is_for_us(provider: Provider, client: Client, audience: Any, path: str) -> bool:
    """One value for FAPI 2.0, the issuer; otherwise one of ours or several, and nobody else's among them."""
    if client.profile.assertion_audience == "issuer":
        return bool(audience == provider.issuer)
    ours = {provider.issuer, *provider.addresses("/token"), *provider.addresses(path)}
    given = audience if isinstance(audience, list) else [audience]
    return bool(given) and all(isinstance(one, str) and one in ours for one in given)
