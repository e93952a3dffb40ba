"""JWTs of ours to a client: signed, and encrypted if it registered for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from idp.clients.metadata import encryption_of
from idp.jose import texts as jose
from idp.oidc.errors import Refusal
from keys.signing import NoSigningKey

if TYPE_CHECKING:
    from idp.clients.registry import Client
    from idp.oidc.provider import Provider
    from keys.signing import Signer


def default_alg(client: Client) -> str:
    """What signs answers to a client that registered nothing for them (JARM §3, RFC 9701 §6): RS256, where its profile has it."""
    return "RS256" if "RS256" in client.profile.own_algs else client.id_token_alg


def signed_for(
    provider: Provider, client: Client, claims: dict[str, Any], *, what: str, alg: str, typ: str = "JWT"
) -> str:
    """A JWT for a client. `what` is `id_token`, `userinfo`, `authorization` or `introspection`.

    Never call it inside a transaction: encrypting may fetch the client's key set.

    Raises:
        Refusal: when it must be encrypted and the client publishes no key for it, or the town does not sign with what
            the client registered for any more.
    """
    signer = signer_of(provider, alg, refusal="unauthorized_client")
    return encrypted_for(provider, client, signer.sign(claims, typ), what=what)


def signer_of(provider: Provider, alg: str, *, refusal: str) -> Signer:
    """What signs with an algorithm now.

    Raises:
        Refusal: with this error when nothing does any more.
    """
    try:
        return provider.keys.ring.current(alg)
    except NoSigningKey:
        raise Refusal(refusal, f"Nothing is signed with {alg} here any more") from None


def encrypted_for(provider: Provider, client: Client, signed: str, *, what: str) -> str:
    """A signed JWT, encrypted if the client registered for that; otherwise as `signed_for`."""
    encryption_alg, enc = encryption_of(client.details, what)
    if not encryption_alg:
        return signed
    keys = provider.client_keys.of(client, now=provider.context.now())
    try:
        return jose.encrypt(signed, keys, alg=encryption_alg, enc=enc)
    except jose.NotReadable as error:
        raise Refusal("invalid_request", str(error)) from None
