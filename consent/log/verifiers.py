"""Keys that check signatures of notes: the log's own, and those of witnesses (C2SP signed-note, tlog-cosignature). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

#: Signature types: a log's own, and the two kinds of cosignature.
ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
COSIGNATURE_ML_DSA_44: Final = 0x06
LOG_KEYS: Final = (ED25519, COSIGNATURE_ML_DSA_44)
COSIGNATURES: Final = (COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44)
KEY_ID_LENGTH: Final = 4

_KEY_LENGTHS: Final = {ED25519: 32, COSIGNATURE_ED25519: 32, COSIGNATURE_ML_DSA_44: 1312}
_SIGNATURE_LENGTHS: Final = {ED25519: 64, COSIGNATURE_ED25519: 8 + 64, COSIGNATURE_ML_DSA_44: 8 + 2420}
_TIME_LENGTH: Final = 8
_LATEST: Final = 2**63 - 1
_LONGEST_NAME: Final = 255
_SUBTREE: Final = b"subtree/v1\n\x00"
_KEY_NAME: Final = re.compile(r"[^\s+]+")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_LENGTH: Final = 32


class NoteError(ValueError):
    """The text is no note of the expected form, or no known key signed it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under its name; ``type`` is one of the signature types above."""

    name: str
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse names a note can't carry."""
        if not is_key_name(self.name):
            raise ValueError(f"{self.name!r} can't name a key: no spaces, no plus sign")

    @property
    def key_id(self) -> bytes:
        """The four bytes that go before each signature."""
        said = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(said).digest()[:KEY_ID_LENGTH]

    @property
    def vkey(self) -> str:
        """The verifier key to publish: ``name+hex(key id)+base64(type || public key)``."""
        encoded = base64.b64encode(bytes([self.type]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def check(self, text: str, signature: bytes) -> None:
        """Raise NoteError unless ``signature`` (without the key id) is this key's over the text of a note."""
        if len(signature) != _SIGNATURE_LENGTHS[self.type]:
            raise NoteError("the signature does not fit the note")
        try:
            self._verify(text, signature)
        except NoteError:
            raise
        except UnsupportedAlgorithm as error:
            raise NoteError("this machine cannot check ML-DSA signatures") from error
        except (InvalidSignature, ValueError) as error:
            raise NoteError("the signature does not fit the note") from error

    def _verify(self, text: str, signature: bytes) -> None:
        if self.type == ED25519:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
            return
        at, bare = time_of(signature), signature[_TIME_LENGTH:]
        message = cosigned_message(self.type, self.name, text, at)
        if self.type == COSIGNATURE_ED25519:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(bare, message)
        else:
            MLDSA44PublicKey.from_public_bytes(self.public_key).verify(bare, message)


def is_key_name(name: str) -> bool:
    """Whether a note can carry the name: not empty, no Unicode spaces, no plus sign, nothing unprintable."""
    return bool(_KEY_NAME.fullmatch(name)) and name.isprintable()


def decode(encoded: str) -> bytes:
    """Standard base64, strictly. Raises NoteError."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error


def parse_verifier(vkey: str) -> VerifierKey:
    """A verifier key of any type that is known here. Raises NoteError if it contradicts itself."""
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    material = decode(encoded)
    length = _KEY_LENGTHS.get(material[0]) if material else None
    if length is None or len(material) != 1 + length or not is_key_name(name):
        raise NoteError("not a verifier key of a known type")
    found = VerifierKey(name, material[0], material[1:])
    if found.key_id.hex() != key_id:
        raise NoteError("the verifier key does not match its key id")
    return found


def time_of(signature: bytes) -> int:
    """The instant of a cosignature (without its key id). Raises NoteError for one that no clock can show."""
    at = int.from_bytes(signature[:_TIME_LENGTH], "big")
    if at > _LATEST:
        raise NoteError("the cosignature is from no time")
    return at


def cosigned_message(kind: int, name: str, text: str, at: int) -> bytes:
    """What a cosigner of that name signs over the text of a checkpoint, at an instant (tlog-cosignature)."""
    origin, size, root = checkpoint_lines(text)
    if kind == COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {at}\n{text}".encode()
    if text.count("\n") > 3:  # noqa: PLR2004 - origin, size, root; an extension would stand there unsigned
        raise NoteError("an ML-DSA cosignature does not cover extension lines")
    end = size.to_bytes(8, "big")
    start = bytes(8)
    return b"".join((_SUBTREE, _prefixed(name), at.to_bytes(8, "big"), _prefixed(origin), start, end, root))


def _prefixed(text: str) -> bytes:
    said = text.encode()
    if not 1 <= len(said) <= _LONGEST_NAME:
        raise NoteError("a name in a cosignature has 1 to 255 bytes")
    return bytes([len(said)]) + said


def checkpoint_lines(text: str) -> tuple[str, int, bytes]:
    """Origin, size and root of the text of a checkpoint (tlog-checkpoint). Raises NoteError if it is none."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004 - three lines and the end
        raise NoteError("not a checkpoint")
    root = decode(lines[2])
    if len(root) != _HASH_LENGTH:
        raise NoteError("the root is not a SHA-256 hash")
    return lines[0], int(lines[1]), root
