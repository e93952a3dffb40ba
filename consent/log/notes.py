"""Signed notes and checkpoints: C2SP signed-note and tlog-checkpoint. Pure but for the signature itself."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ED25519 = b"\x01"
_KEY_ID_LENGTH = 4
_PUBLIC_KEY_LENGTH = 32
_MAX_NOTE_LENGTH = 256 * 1024  # signed-note: verifiers cap the size; room for many post-quantum signatures
_KEY_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """The text is no note of the expected form, or no known key signed it."""


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """An Ed25519 key that signs notes under ``name``; ``sign_raw`` turns the text's bytes into 64 bytes."""

    name: str
    public_key: bytes
    sign_raw: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        """Refuse names a note can't carry."""
        if not _KEY_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} can't name a key: no spaces, no plus sign")

    @property
    def key_id(self) -> bytes:
        """The four bytes that go before each signature."""
        return _key_id(self.name, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key to publish: ``name+hex(key id)+base64(type || public key)``."""
        encoded = base64.b64encode(_ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def sign(self, text: str) -> str:
        """The signed note over ``text``, which must end in a newline."""
        signature = base64.b64encode(self.key_id + self.sign_raw(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree: whose, how many leaves, which root (32 bytes), and the note that says so."""

    origin: str
    size: int
    root: bytes
    note: str


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_LENGTH]


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("not base64") from error


def parse_vkey(vkey: str) -> tuple[str, bytes]:
    """Name and 32-byte public key of a verifier key line. Raises NoteError if it contradicts itself."""
    name, _, rest = vkey.partition("+")
    key_id, _, encoded = rest.partition("+")
    material = _decode(encoded)
    if material[:1] != _ED25519 or len(material) != 1 + _PUBLIC_KEY_LENGTH:
        raise NoteError("not an Ed25519 verifier key")
    if _key_id(name, material[1:]).hex() != key_id:
        raise NoteError("the verifier key does not match its key id")
    return name, material[1:]


def open_note(note: str, *vkeys: str) -> str:
    """The text of ``note`` once one of ``vkeys`` is found to have signed it; raises NoteError otherwise.

    A signature by a known key that does not fit makes the whole note bad, whoever else signed it.
    """
    if len(note) > _MAX_NOTE_LENGTH:
        raise NoteError("the note is too long")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise NoteError("not a signed note")
    text += "\n"
    known = {(name, _key_id(name, key)): key for name, key in map(parse_vkey, vkeys)}
    signed = False
    for line in signatures.splitlines():
        name, blob = _signature_of(line)
        public_key = known.get((name, blob[:_KEY_ID_LENGTH]))
        if public_key is not None:
            _check(text, blob[_KEY_ID_LENGTH:], public_key)
            signed = True
    if not signed:
        raise NoteError("no known key signed the note")
    return text


def _signature_of(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not encoded:
        raise NoteError("a signature line is malformed")
    return name, _decode(encoded)


def _check(text: str, signature: bytes, public_key: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError) as error:
        raise NoteError("the signature does not fit the note") from error


def sign_checkpoint(signer: NoteSigner, *, origin: str, size: int, root: bytes) -> Checkpoint:
    """A signed checkpoint (tlog-checkpoint: origin, decimal size, base64 root)."""
    if not origin or "\n" in origin:
        raise ValueError("an origin is one line")
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(origin, size, root, signer.sign(text))


def open_checkpoint(note: str, *vkeys: str) -> Checkpoint:
    """The checkpoint in ``note``, its signature checked as in :func:`open_note`. Raises NoteError."""
    lines = open_note(note, *vkeys).split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004 — three lines and the end
        raise NoteError("not a checkpoint")
    root = _decode(lines[2])
    if len(root) != hashlib.sha256().digest_size:
        raise NoteError("the root is not a SHA-256 hash")
    return Checkpoint(lines[0], int(lines[1]), root, note)
