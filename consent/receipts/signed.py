"""Signed texts of ours, read back with care: compact JWS with ES256 and nothing else (RFC 7515, RFC 8725). Pure."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECEIPT: Final = "consent-receipt+jwt"
PAPER: Final = "consent-receipt-paper+jwt"
ALGORITHM: Final = "ES256"
#: In characters: a receipt has some ten thousand.
SIZE_LIMIT: Final = 512 * 1024
_HEADER: Final = {"alg", "kid", "typ"}
_HALF: Final = 32
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_NAME_LIMIT: Final = 255


class NotReadable(Exception):
    """What was given is no receipt, or no key set; the message says why, in plain words."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A signed text that nobody has checked yet."""

    text: str
    kid: str
    typ: str
    payload: dict[str, Any]

    def is_signed_by(self, jwk: Mapping[str, Any]) -> bool:
        """Whether this key (a public JWK for ES256) signed it."""
        signed, _, segment = self.text.rpartition(".")
        signature = _decoded(segment)
        if len(signature) != 2 * _HALF:
            return False
        r, s = (int.from_bytes(half) for half in (signature[:_HALF], signature[_HALF:]))
        try:
            numbers = EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), SECP256R1())
            numbers.public_key().verify(encode_dss_signature(r, s), signed.encode(), ECDSA(SHA256()))
        except (InvalidSignature, NotReadable, ValueError, KeyError, TypeError):
            return False
        return True


def read(text: str) -> Unverified:
    """Take a compact JWS apart.

    Raises:
        NotReadable: for anything but a JWS of a JSON object whose header says ES256, a key and one of our types.
    """
    parts = text.split(".")
    if len(text) > SIZE_LIMIT or len(parts) != 3 or not all(map(_SEGMENT.fullmatch, parts)):  # noqa: PLR2004 - as RFC 7515 §7.1 has it
        raise NotReadable("This is no signed receipt: it must be three parts with dots between them.")
    header, payload = (_object(_decoded(part), "receipt") for part in parts[:2])
    if header.get("alg") != ALGORITHM:
        raise NotReadable(
            f"It says that it is signed with {header.get('alg')!r:.40}; receipts are with ES256."
        )
    if header.get("typ") not in (RECEIPT, PAPER):
        raise NotReadable(f"It says that it is {header.get('typ')!r:.60}, and not a receipt.")
    if set(header) != _HEADER or not isinstance(header["kid"], str) or len(header["kid"]) > _NAME_LIMIT:
        raise NotReadable("Its header holds something else than the algorithm, the type and the key's name.")
    _decoded(parts[2])
    return Unverified(text, header["kid"], header["typ"], payload)


def read_object(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object that names nothing twice; ``what`` is what it should be, for the message.

    Raises:
        NotReadable: for anything else.
    """
    return _object(raw, what)


def receipt_keys(jwks: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The keys of a published set that can sign receipts.

    Raises:
        NotReadable: when it is no key set.
    """
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise NotReadable("The file of keys is no key set: it must have a list of “keys”.")
    return tuple(
        key for key in keys if (key.get("kty"), key.get("crv"), key.get("alg")) == ("EC", "P-256", ALGORITHM)
    )


def by_kid(keys: Iterable[Mapping[str, Any]], kid: str) -> Mapping[str, Any] | None:
    """The key of this name; None if there is none."""
    return next((key for key in keys if key.get("kid") == kid), None)


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_number)
    except _Twice as twice:
        raise NotReadable(f"The {what} names {str(twice)!r:.60} twice.") from None
    except (ValueError, RecursionError):
        raise NotReadable(f"The {what} cannot be read: it is not JSON.") from None
    if not isinstance(found, dict):
        raise NotReadable(f"The {what} cannot be read: it is no JSON object.")
    return found


class _Twice(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _decoded(segment: str) -> bytes:
    """The bytes of a part, if it is written as encoding would write it and in no other way (RFC 7515 §2)."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise NotReadable("It is not in base64url.") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != segment:
        raise NotReadable("It is not in base64url.")
    return raw


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_decoded(jwk[name]))
