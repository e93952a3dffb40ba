"""How bytes and hashes are written in tokens and addresses (RFC 7515 §2, RFC 7636 §4.2, OIDC Core §3.1.3.6); pure."""

from __future__ import annotations

import base64
import hashlib

_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


def base64url(data: bytes) -> str:
    """base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def s256(text: str) -> str:
    """A SHA-256, as of a code verifier or of an access token (RFC 7636 §4.2, RFC 9449 §4.2)."""
    return base64url(hashlib.sha256(text.encode()).digest())


def half_hash(value: str, alg: str) -> str:
    """The left half of a hash with the hash function of the ID token's algorithm (OIDC Core §3.1.3.6, §3.3.2.11).

    Ed25519 signs over SHA-512, which is what EdDSA stands for here.
    """
    function = hashlib.sha512 if alg in ("EdDSA", "Ed25519") else _HASHES[alg[-3:]]
    digest = function(value.encode()).digest()
    return base64url(digest[: len(digest) // 2])
