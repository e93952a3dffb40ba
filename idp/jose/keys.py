"""Key sets (RFC 7517): which can be registered, and what of one can be used; pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

if TYPE_CHECKING:
    from collections.abc import Mapping

PublicKey = RSAKey | ECKey | OKPKey

KEYS_LIMIT = 20
SIZE_LIMIT = 32 * 1024
_RSA_BITS = range(2048, 8193)
#: A modulus of so many bits in base64url; a shorter one is not even imported.
_RSA_LETTERS = 342
#: RFC 7518 §6.2.2, §6.3.2, §6.4.1: whatever is secret of a key.
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KINDS: dict[str, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

#: The kind of key that an algorithm wants, and its curve if it has but one.
_FITS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
    "RSA-OAEP": ("RSA", None),
    "RSA-OAEP-256": ("RSA", None),
    "ECDH-ES": ("EC", None),
    "ECDH-ES+A128KW": ("EC", None),
    "ECDH-ES+A256KW": ("EC", None),
}


def jwks_problem(jwks: Any) -> str | None:
    """Why a key set cannot be registered, in the partner's words; None when it can."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        return "is no JSON Web Key Set"
    if len(keys) > KEYS_LIMIT or len(json.dumps(jwks)) > SIZE_LIMIT:
        return "has too many keys"
    if any(_PRIVATE & key.keys() or key.get("kty") == "oct" for key in keys):
        return "has a private or symmetric key; register the public half"
    kids = [key["kid"] for key in keys if "kid" in key]
    if len(set(map(str, kids))) != len(kids):
        return "has two keys of one kid"
    return None if usable_keys(jwks) else "has no key that can be used: RSA from 2048 bits, EC, or Ed25519"


def usable_keys(jwks: Any) -> tuple[PublicKey, ...]:
    """The public keys of a set that can be used; all others are passed over (RFC 7517 §5)."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list):
        return ()
    found = (public_key(key) for key in keys[:KEYS_LIMIT])
    return tuple(key for key in found if key is not None)


def public_key(jwk: Any) -> PublicKey | None:
    """One public key, or None when it is private, weak, or none at all."""
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        return None
    if not all(isinstance(jwk.get(name, ""), str) for name in ("kty", "kid", "use", "alg", "crv")):
        return None
    kty = jwk.get("kty", "")
    if kty not in _KINDS or (kty == "RSA" and len(str(jwk.get("n", ""))) < _RSA_LETTERS):
        return None
    try:
        # `key_ops` are passed over: what a key is for is judged by `fits`, by `use` and `alg`.
        key = import_key({name: value for name, value in jwk.items() if name != "key_ops"})
        raw = key.raw_value  # made when it is asked for; a point off its curve is found out here
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(raw, RSAPublicKey) and raw.key_size not in _RSA_BITS:
        return None
    return key if isinstance(key, (RSAKey, ECKey, OKPKey)) else None


def fits(key: PublicKey, alg: str, *, use: str) -> bool:
    """Whether a key may serve an algorithm: its kind, its curve, and what it says it is for (RFC 7517 §4.2, §4.4)."""
    kind, curve = _FITS.get(alg, ("", None))
    parameters: Mapping[str, Any] = key.dict_value
    if key.key_type != kind or parameters.get("use", use) != use:
        return False
    if curve is not None and parameters.get("crv") != curve:
        return False
    said = parameters.get("alg", alg)
    return said == alg or {said, alg} == {"EdDSA", "Ed25519"}
