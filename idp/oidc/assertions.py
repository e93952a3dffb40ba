"""Client assertions: a JWT that the client signs with its secret or its key (RFC 7523 §3, OIDC Core §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from joserfc.jwk import OctKey

from idp.clients.profiles import ASSERTION_METHODS, SECRET_ALGORITHMS
from idp.clients.service import open_secret
from idp.jose import texts as jose
from idp.jose.texts import NotReadable
from idp.oidc import dpop
from idp.oidc.errors import Refusal
from idp.oidc.service import CLOCK_LEEWAY
from idp.oidc.used_once import use_once

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: No assertion may be good for longer than this from now, in seconds (K12); clocks may differ besides.
LONGEST_FOR = 300
#: What an assertion may call itself: a JWT of another kind is none (RFC 8725 §3.11).
_TYPES = frozenset({"", "jwt", "client-authentication+jwt"})


def authenticate_by_assertion(
    provider: Provider, incoming: Incoming, *, path: str, takes_proof: bool = False
) -> Client:
    """The client that signed the assertion of a request to this endpoint; its `jti` is spent.

    `takes_proof`: a DPoP proof counts here. One that does not hold is refused before the assertion is spent, because
    there are clients that send the same one again with the nonce that they are told (RFC 9449 §8).

    Raises:
        Refusal: invalid_client, for whatever is wrong; what is wrong with the proof.
    """
    try:
        unverified = jose.read(incoming.form["client_assertion"])
        client = _claimed_client(provider, unverified.claims, incoming.form.get("client_id"))
        claims = jose.verify(unverified, _keys(provider, client, unverified), algorithms=_algorithms(client))
        used = _checked(provider, client, unverified.typ, claims, path=path)
        if takes_proof:
            dpop.checked_proof(provider, incoming, path, needs_nonce=client.profile.dpop_nonce)
        _spend(provider, client, used)
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


class _Used(NamedTuple):
    """What makes an assertion unique, and until when that is remembered."""

    jti: str
    until: int


def _checked(provider: Provider, client: Client, typ: str, claims: dict[str, Any], *, path: str) -> _Used:
    """RFC 7523 §3, with the audience by the client's profile."""
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
    return _Used(jose.text_claim(claims, "jti"), expires_at + CLOCK_LEEWAY)


def _spend(provider: Provider, client: Client, used: _Used) -> None:
    connection = provider.context.database.fast
    if not use_once(connection, "assertion", client.client_id, used.jti, expires_at=used.until):
        raise NotReadable("It was used before")


def _is_for_us(provider: Provider, client: Client, audience: Any, path: str) -> bool:
    """One value for FAPI 2.0, the issuer; otherwise one of ours or several, and nobody else's among them."""
    if client.profile.assertion_audience == "issuer":
        return bool(audience == provider.issuer)
    ours = {provider.issuer, *provider.addresses("/token"), *provider.addresses(path)}
    given = audience if isinstance(audience, list) else [audience]
    return bool(given) and all(isinstance(one, str) and one in ours for one in given)
