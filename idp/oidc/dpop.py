"""DPoP: a caller proves with every request that it holds the key to which its tokens are bound (RFC 9449)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.clients.profiles import STRONG_ALGORITHMS
from idp.jose import texts as jose
from idp.jose.encoding import base64url, s256
from idp.jose.keys import fits, public_key
from idp.jose.texts import NotReadable
from idp.oidc.errors import Refusal
from idp.oidc.service import CLOCK_LEEWAY
from idp.oidc.used_once import use_once

if TYPE_CHECKING:
    from collections.abc import Collection

    from idp.jose.keys import PublicKey
    from idp.oidc.provider import Provider
    from idp.web.incoming import Incoming
    from keys.envelope import Vault

#: What a proof may be signed with (RFC 9449 §5.1: nothing symmetric, never none).
ALGORITHMS = STRONG_ALGORITHMS
HEADER = "HTTP_DPOP"
#: A nonce is given out for so long, and good for as long again, in seconds.
NONCE_FOR = 300
#: So long the `jti` of a proof is remembered, in seconds: longer than any proof is good.
_REMEMBERED_FOR = 2 * NONCE_FOR + 2 * CLOCK_LEEWAY
_PORTS = {"https": 443, "http": 80}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proof must have been made for. `addresses` are all those of one endpoint."""

    method: str
    addresses: Collection[str]
    nonces: Collection[str]
    needs_nonce: bool
    access_token: str | None
    now: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: the thumbprint of its key, and what makes it unique."""

    jkt: str
    jti: str
    has_nonce: bool


class NonceNeeded(Exception):
    """The proof has no nonce of ours, or an old one (RFC 9449 §8)."""


def proven_key(
    provider: Provider,
    incoming: Incoming,
    path: str,
    *,
    needs_nonce: bool = False,
    access_token: str | None = None,
) -> str | None:
    """The thumbprint (RFC 7638) of the key that the caller of an endpoint of ours proves to hold.

    None when there is no proof. The proof is spent. `access_token` is the token it must be made for, at a resource.

    Raises:
        Refusal: invalid_dpop_proof, or use_dpop_nonce with the nonce in its headers.
    """
    proof = checked_proof(provider, incoming, path, needs_nonce=needs_nonce, access_token=access_token)
    if proof is None:
        return None
    ctx = provider.context
    now = ctx.now()
    if not use_once(ctx.database.fast, "dpop", proof.jkt, proof.jti, expires_at=now + _REMEMBERED_FOR):
        status = 400 if access_token is None else 401
        raise Refusal("invalid_dpop_proof", "The DPoP proof was used before", status=status)
    if proof.has_nonce:
        incoming.environ["denizen.dpop_nonce"] = current_nonce(ctx.vault, now=now)
    return proof.jkt


def checked_proof(
    provider: Provider,
    incoming: Incoming,
    path: str,
    *,
    needs_nonce: bool = False,
    access_token: str | None = None,
) -> Proof | None:
    """The proof of a request, looked at once and not spent yet; None when there is none.

    Raises:
        Refusal: as `proven_key`, but for a proof that was used before.
    """
    unverified = incoming.environ.get(HEADER)
    if unverified is None:
        return None
    known: Proof | None = incoming.environ.get("denizen.dpop_proof")
    if known is not None:
        return known
    ctx = provider.context
    now = ctx.now()
    expected = Expected(
        method=incoming.method,
        addresses=provider.addresses(path),
        nonces=nonces(ctx.vault, now=now),
        needs_nonce=needs_nonce or ctx.settings.tokens.dpop_nonce,
        access_token=access_token,
        now=now,
    )
    status = 400 if access_token is None else 401
    try:
        proof = check_proof(unverified, expected)
    except NonceNeeded:
        told = (("DPoP-Nonce", current_nonce(ctx.vault, now=now)),)
        raise Refusal(
            "use_dpop_nonce", "The DPoP proof needs the nonce of this answer", status=status, headers=told
        ) from None
    except NotReadable as error:
        raise Refusal("invalid_dpop_proof", f"The DPoP proof is refused. {error}", status=status) from None
    incoming.environ["denizen.dpop_proof"] = proof
    return proof


def next_nonce(incoming: Incoming) -> tuple[tuple[str, str], ...]:
    """The header that gives a caller who uses nonces the one to use next (RFC 9449 §8.2); often empty."""
    nonce = incoming.environ.get("denizen.dpop_nonce")
    return (("DPoP-Nonce", nonce),) if nonce else ()


def check_proof(unverified_proof: str, expected: Expected) -> Proof:
    """Everything of RFC 9449 §4.3 but that it is used once.

    Raises:
        NotReadable: when it does not hold.
        NonceNeeded: when all it lacks is a nonce of now.
    """
    unverified = jose.read(unverified_proof)
    if unverified.typ != "dpop+jwt":
        raise NotReadable("typ must be dpop+jwt")
    if unverified.alg not in ALGORITHMS:
        raise NotReadable(f"Its algorithm is not one of {', '.join(ALGORITHMS)}")
    key = public_key(unverified.header.get("jwk"))
    if key is None or not fits(key, unverified.alg, use="sig"):
        raise NotReadable("jwk must be the public key for its algorithm")
    claims = jose.verify(unverified, [key], algorithms=ALGORITHMS)
    jti = jose.text_claim(claims, "jti")
    if claims.get("htm") != expected.method:
        raise NotReadable("htm is not the method of this request")
    if not _is_address(claims.get("htu"), expected.addresses):
        raise NotReadable("htu is not the address of this endpoint")
    if expected.access_token is not None and claims.get("ath") != _hash_of(expected.access_token):
        raise NotReadable("ath is not the hash of the access token")
    has_nonce = _check_time(claims, expected)
    return Proof(thumbprint(key), jti, has_nonce)


def thumbprint(key: PublicKey) -> str:
    """RFC 7638 with SHA-256, of the required members alone."""
    found: str = key.thumbprint()
    return found


def _check_time(claims: dict[str, Any], expected: Expected) -> bool:
    """A nonce of ours says how old a proof is, however slow the caller's clock; else `iat` does. Whether by nonce.

    Nothing is from the future (FAPI 2.0 Security Profile §5.3.2.1 no. 14), and `exp` and `nbf` hold where they are
    given (RFC 7519 §4.1.4, §4.1.5).
    """
    issued_at, expires_at = jose.instant(claims, "iat"), jose.instant(claims, "exp")
    if issued_at is None:
        raise NotReadable("iat is missing")
    if expires_at is not None and expires_at <= expected.now:
        raise NotReadable("It has expired")
    for name in ("iat", "nbf"):
        if (jose.instant(claims, name) or 0) > expected.now + CLOCK_LEEWAY:
            raise NotReadable(f"{name} is in the future")
    nonce = claims.get("nonce")
    if nonce is not None:
        if not isinstance(nonce, str) or nonce not in expected.nonces:
            raise NonceNeeded
        return True
    if expected.needs_nonce:
        raise NonceNeeded
    if issued_at < expected.now - CLOCK_LEEWAY:
        raise NotReadable("iat is too long ago")
    return False


def _is_address(unverified: Any, addresses: Collection[str]) -> bool:
    """Compared after normalisation (RFC 3986 §6.2.2, §6.2.3); query and fragment do not count (RFC 9449 §4.3)."""
    if not isinstance(unverified, str):
        return False
    if unverified in addresses:
        return True
    asked = _normalised(unverified)
    return asked is not None and any(asked == _normalised(address) for address in addresses)


def _normalised(address: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname or "", port or _PORTS.get(parts.scheme), _normalised_path(parts.path)


def _normalised_path(path: str) -> str:
    """Escapes as RFC 3986 §6.2.2.1 and §6.2.2.2 have them, and no dot segments (§5.2.4, §6.2.2.3)."""
    kept: list[str] = []
    segments = _ESCAPE.sub(_normalised_escape, path).split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in (["."], [".."]):
        kept.append("")
    return "/" + "/".join(kept)


def _normalised_escape(escape: re.Match[str]) -> str:
    """The letter itself where it means nothing else, else capitals."""
    plain = chr(int(escape[1], 16))
    return plain if plain.isascii() and (plain.isalnum() or plain in "-._~") else escape[0].upper()


def _hash_of(access_token: str) -> str:
    """`ath` (RFC 9449 §4.2)."""
    return s256(access_token)


@lru_cache(maxsize=8)
def _nonces(vault: Vault, period: int) -> tuple[str, ...]:
    return tuple(_nonce(vault, one) for one in (period, period - 1, period + 1))


def nonces(vault: Vault, *, now: int) -> tuple[str, ...]:
    """Every nonce that is good now: of this period, the one before, and the next for a node whose clock is ahead."""
    return _nonces(vault, now // NONCE_FOR)


def current_nonce(vault: Vault, *, now: int) -> str:
    """The nonce to give out now; the same on every node, and nothing is kept of it."""
    return _nonce(vault, now // NONCE_FOR)


def _nonce(vault: Vault, period: int) -> str:
    return base64url(hmac.digest(vault.subkey("dpop-nonce"), str(period).encode(), "sha256")[:18])
