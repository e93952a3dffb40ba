"""Signed texts of others, read with care, and ours to them (RFC 7515, 7516, 7519, 8725).

Whoever reads names the algorithms that may be used and the key; nothing that a text says about itself is believed
before its signature has been checked, and of its header only `alg`, `kid` and `typ` are ever looked at.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry

from idp.jose.keys import fits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from idp.jose.keys import PublicKey

#: In characters; a request object is the longest that anybody sends.
SIZE_LIMIT = 32 * 1024
_HEADER_LIMIT = 8192
_NAME_LIMIT = 255
#: JSON can name half of a letter, which is no text; and PostgreSQL keeps no NUL.
_HALF = re.compile("[\0\ud800-\udfff]")
#: So many keys of a set are tried when a text does not name one.
_TRIES = 5
#: Instants beyond this are no instants (year 9999).
_LAST_INSTANT = 253_402_300_799


class NotReadable(Exception):
    """A text that is not what it should be; the message may be shown to whoever sent it."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS whose signature nobody has looked at yet."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def alg(self) -> str:
        """The algorithm that it claims to be signed with."""
        alg: str = self.header["alg"]
        return alg

    @property
    def kid(self) -> str | None:
        """The key that it claims to be signed with."""
        return self.header.get("kid")

    @property
    def typ(self) -> str:
        """What it claims to be, in lower case and without `application/` (RFC 7515 §4.1.9)."""
        typ: str = self.header.get("typ", "")
        return typ.lower().removeprefix("application/")


def read(text: str) -> Unverified:
    """Take a compact JWS apart.

    Raises:
        NotReadable: for everything that is not a JWS of a JSON object with a sound header.
    """
    if len(text) > SIZE_LIMIT or not text.isascii():
        raise NotReadable("It is too long, or no JSON Web Token")
    parts = text.split(".")
    if len(parts) != 3 or not all(parts) or len(parts[0]) > _HEADER_LIMIT:  # noqa: PLR2004 - as RFC 7515 §7.1 has it
        raise NotReadable("It is no signed JSON Web Token")
    header, claims = _object(parts[0]), _object(parts[1])
    if not isinstance(header.get("alg"), str) or {"crit", "b64", "zip"} & header.keys():
        raise NotReadable("Its header is not acceptable")
    if any(
        not isinstance(header.get(name, ""), str) or len(header.get(name, "")) > _NAME_LIMIT
        for name in ("alg", "kid", "typ")
    ):
        raise NotReadable("Its header is not acceptable")
    return Unverified(text, header, claims)


def verify(
    unverified: Unverified, keys: Iterable[PublicKey | OctKey], *, algorithms: Collection[str]
) -> dict[str, Any]:
    """The claims, once one of these keys has proved to be the one that signed.

    Raises:
        NotReadable: when the algorithm is not among those allowed, or no key fits.
    """
    alg = unverified.alg
    if alg not in algorithms:
        raise NotReadable(f"Its algorithm is not one of {', '.join(algorithms)}")
    fit = [key for key in keys if isinstance(key, OctKey) or fits(key, alg, use="sig")]
    signed, _, segment = unverified.text.rpartition(".")
    signature = _decoded(segment)
    # Asked directly: joserfc's own way reads text and key again, and takes EdDSA and Ed25519 for two (RFC 9864).
    method = JWSRegistry.algorithms[alg]
    for key in fit[:_TRIES]:
        try:
            is_its_own = method.verify(signed.encode(), signature, key)
        except (JoseError, ValueError, TypeError):
            continue
        if is_its_own:
            return unverified.claims
    raise NotReadable("Its signature is not valid")


def instant(claims: dict[str, Any], name: str) -> int | None:
    """A NumericDate in whole seconds (RFC 7519 §2); None when there is none.

    Raises:
        NotReadable: for what is no instant.
    """
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LAST_INSTANT:
        raise NotReadable(f"{name} is no instant")
    return int(value)


def text_claim(claims: dict[str, Any], name: str) -> str:
    """A claim that must be a short text.

    Raises:
        NotReadable: when it is not.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_LIMIT or _HALF.search(value):
        raise NotReadable(f"{name} is missing or no short text")
    return value


def encrypt(text: str, keys: Iterable[PublicKey], *, alg: str, enc: str) -> str:
    """A signed JWT of ours as a compact JWE to one of these keys (RFC 7519 §5.2, nested).

    Raises:
        NotReadable: when no key fits.
    """
    for key in keys:
        if fits(key, alg, use="enc"):
            header = {"alg": alg, "enc": enc, "cty": "JWT", **({"kid": key.kid} if key.kid else {})}
            registry = JWERegistry(algorithms=[alg, enc])
            return jwe.encrypt_compact(header, text, key, registry=registry)
    raise NotReadable(f"The client has no key for {alg}")


def _object(segment: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(segment), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise NotReadable("It is not JSON in base64url") from None
    if not isinstance(found, dict):
        raise NotReadable("It is no JSON object")
    return found


def _decoded(segment: str) -> bytes:
    """The bytes of a part, if it is written as encoding would write it and in no other way (RFC 7515 §2)."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise NotReadable("It is not in base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise NotReadable("It is not in base64url")
    return raw


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7515 §4: no member twice, so that no two readers see different things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is given twice")
    return found


def _no_number(text: str) -> None:
    """RFC 8259 §6: what Python takes for a number and nobody else does."""
    raise ValueError(text)
