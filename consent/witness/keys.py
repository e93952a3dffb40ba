"""A witness's private keys, in the file format of Go's note package: one `PRIVATE+KEY+name+id+…` a line."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from consent.log.cosignatures import Cosigner
from consent.log.verifiers import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    COSIGNATURES,
    ED25519,
    NoteError,
    VerifierKey,
    decode,
)

if TYPE_CHECKING:
    from pathlib import Path

ALGORITHMS: Final = {"ed25519": COSIGNATURE_ED25519, "ml-dsa-44": COSIGNATURE_ML_DSA_44}
_START: Final = "PRIVATE+KEY+"
_SEED_LENGTH: Final = 32


class WitnessKeyError(Exception):
    """The key file cannot be used; the text says why, in the operator's words."""


def create(path: Path, *, name: str, algorithm: str) -> str:
    """Make a key in a new file that only its owner can read; its verifier key."""
    cosigner = cosigner_of(name, ALGORITHMS[algorithm], seed := secrets.token_bytes(_SEED_LENGTH))
    line = f"{_START}{name}+{cosigner.key.key_id.hex()}+{_encoded(cosigner.key.type, seed)}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WitnessKeyError(f"{path} is there already, and a key is never overwritten.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return cosigner.key.vkey


def load(path: Path) -> list[Cosigner]:
    """The keys of a file."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        raise WitnessKeyError(f"{path}: no such file. Make one with: denizen witness init") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WitnessKeyError(f"{path} cannot be read ({type(error).__name__}).") from None
    if not lines:
        raise WitnessKeyError(f"{path} holds no key.")
    try:
        return [_parse(line) for line in lines]
    except ValueError as error:
        raise WitnessKeyError(f"{path} holds no key of a witness ({error}).") from None


def cosigner_of(name: str, kind: int, seed: bytes) -> Cosigner:
    """The cosigner with the key that a 32-byte seed makes. Raises ValueError for a name that no note can carry."""
    if kind == COSIGNATURE_ED25519:
        plain = Ed25519PrivateKey.from_private_bytes(seed)
        return Cosigner(VerifierKey(name, kind, plain.public_key().public_bytes_raw()), plain.sign)
    lattice = MLDSA44PrivateKey.from_seed_bytes(seed)
    return Cosigner(VerifierKey(name, kind, lattice.public_key().public_bytes_raw()), lattice.sign)


def _parse(line: str) -> Cosigner:
    if not line.startswith(_START):
        raise NoteError(f"a line does not begin with {_START}")
    name, _, rest = line.removeprefix(_START).partition("+")
    key_id, _, encoded = rest.partition("+")
    material = decode(encoded)
    kind, seed = material[0] if material else 0, material[1:]
    # Go's tools write an Ed25519 key with the type of a log's, and its id, and cosign with it all the same.
    meant = COSIGNATURE_ED25519 if kind == ED25519 else kind
    if meant not in COSIGNATURES or len(seed) != _SEED_LENGTH:
        raise NoteError("a key of an unknown type")
    cosigner = cosigner_of(name, meant, seed)
    if VerifierKey(name, kind, cosigner.key.public_key).key_id.hex() != key_id:
        raise NoteError("a key does not match its id")
    return cosigner


def _encoded(kind: int, seed: bytes) -> str:
    return base64.b64encode(bytes([kind]) + seed).decode()
