"""Signed notes and checkpoints: C2SP signed-note and tlog-checkpoint. Pure but for the signature itself."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from consent.log.verifiers import (
    ED25519,
    KEY_ID_LENGTH,
    NoteError,
    VerifierKey,
    checkpoint_lines,
    decode,
    parse_verifier,
)

__all__ = [
    "Checkpoint",
    "NoteError",
    "NoteSigner",
    "Signature",
    "open_checkpoint",
    "open_note",
    "parse_vkey",
    "sign_checkpoint",
    "split_note",
]

_MAX_NOTE_LENGTH = 256 * 1024  # signed-note: verifiers cap the size; room for many post-quantum signatures


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """An Ed25519 key that signs notes under ``name``; ``sign_raw`` turns the text's bytes into 64 bytes."""

    name: str
    public_key: bytes
    sign_raw: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        """Refuse names a note can't carry."""
        VerifierKey(self.name, ED25519, self.public_key)

    @property
    def key_id(self) -> bytes:
        """The four bytes that go before each signature."""
        return VerifierKey(self.name, ED25519, self.public_key).key_id

    @property
    def vkey(self) -> str:
        """The verifier key to publish: ``name+hex(key id)+base64(type || public key)``."""
        return VerifierKey(self.name, ED25519, self.public_key).vkey

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


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: under which name, the key id with the signature, and the line itself without its end."""

    name: str
    blob: bytes
    line: str


def parse_vkey(vkey: str) -> tuple[str, bytes]:
    """Name and 32-byte public key of a log's verifier key line. Raises NoteError if it contradicts itself.

    Those of witnesses are for :func:`consent.log.verifiers.parse_verifier`.
    """
    key = parse_verifier(vkey)
    if key.type != ED25519:
        raise NoteError("not an Ed25519 verifier key")
    return key.name, key.public_key


def open_note(note: str, *vkeys: str) -> str:
    """The text of ``note`` once one of ``vkeys`` is found to have signed it; raises NoteError otherwise.

    A signature by a known key that does not fit makes the whole note bad, whoever else signed it. The keys may be
    of any type: who needs the log's signature *and* those of witnesses asks for each by itself.
    """
    known = {(key.name, key.key_id): key for key in map(parse_verifier, vkeys)}
    text, signatures = split_note(note)
    signed = False
    for signature in signatures:
        key = known.get((signature.name, signature.blob[:KEY_ID_LENGTH]))
        if key is not None:
            key.check(text, signature.blob[KEY_ID_LENGTH:])
            signed = True
    if not signed:
        raise NoteError("no known key signed the note")
    return text


def split_note(note: str) -> tuple[str, list[Signature]]:
    """Text and signature lines of a note, none of them checked. Raises NoteError if it is no note."""
    if len(note) > _MAX_NOTE_LENGTH:
        raise NoteError("the note is too long")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise NoteError("not a signed note")
    if any(char < " " and char != "\n" for char in note):
        raise NoteError("a control character in the note")
    return text + "\n", [_signature_of(line) for line in signatures[:-1].split("\n")]


def _signature_of(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or not encoded:
        raise NoteError("a signature line is malformed")
    return Signature(name, decode(encoded), line)


def sign_checkpoint(signer: NoteSigner, *, origin: str, size: int, root: bytes) -> Checkpoint:
    """A signed checkpoint (tlog-checkpoint: origin, decimal size, base64 root)."""
    if not origin or "\n" in origin:
        raise ValueError("an origin is one line")
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return Checkpoint(origin, size, root, signer.sign(text))


def open_checkpoint(note: str, *vkeys: str) -> Checkpoint:
    """The checkpoint in ``note``, its signature checked as in :func:`open_note`. Raises NoteError."""
    origin, size, root = checkpoint_lines(open_note(note, *vkeys))
    return Checkpoint(origin, size, root, note)
