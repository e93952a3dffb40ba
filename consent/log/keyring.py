"""The log's keys as ``keys`` holds them, in the form notes need."""

import base64

from consent.log.notes import NoteSigner
from keys.signing import KeyRing

_ALGORITHM = "Ed25519"


def signer_of(ring: KeyRing, name: str) -> NoteSigner:
    """The signer of notes for the ring of use "log", under the log's ``name``; NoSigningKey if none signs."""
    signer = ring.current(_ALGORITHM)
    public = {jwk["kid"]: jwk["x"] for jwk in ring.jwks()["keys"]}
    return NoteSigner(name, _decode(public[signer.kid]), signer.sign_raw)


def vkeys_of(ring: KeyRing, name: str) -> list[str]:
    """Verifier keys of every published log key, the signing one first (C2SP signed-note)."""
    return [NoteSigner(name, _decode(jwk["x"]), _refuse).vkey for jwk in ring.jwks()["keys"]]


def _decode(encoded: str) -> bytes:
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _refuse(_message: bytes) -> bytes:
    raise TypeError("this key only verifies")
