"""Cosignatures: what witnesses sign, and reading what they signed (C2SP tlog-cosignature). Pure but for the signature."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consent.log.notes import split_note
from consent.log.verifiers import (
    COSIGNATURES,
    KEY_ID_LENGTH,
    NoteError,
    VerifierKey,
    cosigned_message,
    parse_verifier,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_START: Final = "— "


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One that was checked: by which key (vkey and name), at which instant, and the line without its end."""

    vkey: str
    name: str
    at: int
    line: str


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's key; ``sign_raw`` turns bytes into the bare signature of the key's type."""

    key: VerifierKey
    sign_raw: Callable[[bytes], bytes]

    def line(self, text: str, now: int) -> str:
        """The signature line, without its end, over the text of a checkpoint."""
        bare = self.sign_raw(cosigned_message(self.key.type, self.key.name, text, now))
        blob = self.key.key_id + now.to_bytes(8, "big") + bare
        return f"{LINE_START}{self.key.name} {base64.b64encode(blob).decode()}"


def cosigned_by(note: str, *vkeys: str) -> list[Cosignature]:
    """The cosignatures by ``vkeys`` on a checkpoint, the latest of each key; lines of others are passed over.

    Raises NoteError when one of them does not fit: a signature by a known key that is wrong spoils the note. Whether
    the log itself signed is for :func:`consent.log.notes.open_checkpoint` to say.
    """
    known = {(key.name, key.key_id): (vkey, key) for vkey, key in _cosigning(vkeys)}
    text, signatures = split_note(note)
    found: dict[str, Cosignature] = {}
    for signature in signatures:
        vkey, key = known.get((signature.name, signature.blob[:KEY_ID_LENGTH]), ("", None))
        if key is None:
            continue
        key.check(text, signature.blob[KEY_ID_LENGTH:])
        at = time_of(signature.blob[KEY_ID_LENGTH:])
        if vkey not in found or found[vkey].at < at:
            found[vkey] = Cosignature(vkey, key.name, at, signature.line)
    return list(found.values())


def _cosigning(vkeys: tuple[str, ...]) -> list[tuple[str, VerifierKey]]:
    keys = [(vkey, parse_verifier(vkey)) for vkey in vkeys]
    if any(key.type not in COSIGNATURES for _, key in keys):
        raise NoteError("not a witness's verifier key")
    return keys


def with_lines(note: str, *lines: str) -> str:
    """A note with more signature lines, each without its end."""
    return note + "".join(f"{line}\n" for line in lines)
