"""The signature of an export: a detached JWS over its SHA-256 (RFC 7515, Appendix F), by the log's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from idp.jose.encoding import base64url
from keys.signing import load_ring

if TYPE_CHECKING:
    from idp.web.context import Context

TYPE = "denizen-export+jws"
_LOG_KEY = "Ed25519"


def detached(connection: Any, context: Context, digest: bytes) -> str:
    """`header..signature`; the payload that is left out is the digest in hex, as `sha256sum` writes it.

    A note of the log ends in a line feed and a JWS has none, so neither signature can be taken for the other.
    """
    signer = load_ring(connection, context.vault, use="log").current(_LOG_KEY)
    header = base64url(orjson.dumps({"alg": "EdDSA", "kid": signer.kid, "typ": TYPE}))
    signature = signer.sign_raw(f"{header}.{base64url(digest.hex().encode())}".encode())
    return f"{header}..{base64url(signature)}"
