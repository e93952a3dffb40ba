"""`add-checkpoint`: reading a request, and what a witness answers to it (C2SP tlog-witness). Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consent.log.merkle import EMPTY_ROOT, HASH_LENGTH, verify_consistency
from consent.log.verifiers import NoteError, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consent.log.notes import Checkpoint

MOST_PROOF_LINES: Final = 63
#: Octets of a request: 63 lines of a proof, and a note with sixteen signatures of the largest kind.
LONGEST_REQUEST: Final = 128 * 1024
SIZE_TYPE: Final = "text/x.tlog.size"
_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")


class MalformedRequest(ValueError):
    """The body is none of `add-checkpoint`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the size from which the proof leads, the proof's hashes, and the signed checkpoint, unchecked."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body, media type, and the methods that are allowed where that was the trouble."""

    status: int
    body: str
    content_type: str = _TEXT_TYPE
    allow: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the checkpoint is to be remembered and signed."""
        return self.status == 200  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest tree of a log that a witness has signed for."""

    size: int = 0
    root: bytes = EMPTY_ROOT


GOOD: Final = Answer(200, "")


def request_body(old_size: int, proof: Sequence[bytes], note: str) -> str:
    """What a log sends."""
    lines = [f"old {old_size}", *(base64.b64encode(one).decode() for one in proof), ""]
    return "\n".join(lines) + f"\n{note}"


def parse_request(body: bytes) -> Asked:
    """Read what a log sent. Raises MalformedRequest."""
    try:
        head, separator, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise MalformedRequest("not UTF-8") from None
    if not separator:
        raise MalformedRequest("no empty line before the checkpoint")
    first, *rest = head.split("\n")
    old = _OLD.fullmatch(first)
    if old is None:
        raise MalformedRequest("the first line is not: old SIZE")
    if len(rest) > MOST_PROOF_LINES:
        raise MalformedRequest("more than 63 lines of proof")
    return Asked(int(old[1]), tuple(map(_hash, rest)), note)


def _hash(line: str) -> bytes:
    try:
        found = decode(line)
    except NoteError:
        raise MalformedRequest("a line of the proof is not base64") from None
    if len(found) != HASH_LENGTH:
        raise MalformedRequest("a line of the proof is no hash")
    return found


def decide(asked: Asked, checkpoint: Checkpoint, seen: Seen) -> Answer:
    """What to answer when the log is known and has signed: GOOD, or why not, in the order of the specification."""
    if asked.old_size > checkpoint.size:
        return Answer(400, "the old size is larger than the checkpoint\n")
    if asked.old_size != seen.size:
        return Answer(409, f"{seen.size}\n", SIZE_TYPE)
    if asked.old_size == checkpoint.size and checkpoint.root != seen.root:
        return Answer(409, "another tree of this size was signed before\n")
    if asked.old_size in (0, checkpoint.size):
        return Answer(422, "no proof belongs here\n") if asked.proof else GOOD
    if not verify_consistency(seen.size, checkpoint.size, asked.proof, seen.root, checkpoint.root):
        return Answer(422, "the proof does not lead from the old tree to the new one\n")
    return GOOD
