"""The log's side: what to send to a witness, what its answer means, and keeping what it signed (C2SP tlog-witness)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, select

from consent.log.cosignatures import Cosignature, cosigned_by, with_lines
from consent.log.proofs import consistency_for
from consent.log.verifiers import NoteError
from consent.models import LogCheckpoint, LogCosignature, table
from consent.witness.rules import SIZE_TYPE, request_body

if TYPE_CHECKING:
    from consent.executor import Executor

_CHECKPOINT, _COSIGNATURE = table(LogCheckpoint), table(LogCosignature)
_NEWEST: Final = (
    select(_CHECKPOINT.c.tree_size, _CHECKPOINT.c.note).order_by(_CHECKPOINT.c.tree_size.desc()).limit(1)
)
_LAST: Final = (
    select(_COSIGNATURE.c.tree_size, _COSIGNATURE.c.at)
    .where(_COSIGNATURE.c.name == bindparam("name"))
    .order_by(_COSIGNATURE.c.tree_size.desc(), _COSIGNATURE.c.id.desc())
    .limit(1)
)
_INSERT: Final = insert(_COSIGNATURE)
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")


class WitnessRefused(Exception):
    """The witness signed nothing; `cause` says why. It is grave when the witness knows another tree than ours."""

    def __init__(self, cause: str, *, is_grave: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.is_grave = is_grave


class OldSize(Exception):
    """The witness signed for a tree of this size last; the proof has to lead from there."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class Submission:
    """What to send: from which size on, the newest checkpoint with its size, and the body."""

    old_size: int
    size: int
    note: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a witness has come: the size it signed for last, 0 for nothing yet, and when."""

    size: int
    at: int


def newest_size(connection: Executor) -> int:
    """How many leaves the newest checkpoint has; 0 while there is none."""
    head = connection.execute(_NEWEST, {}).first()
    return 0 if head is None else int(head.tree_size)


def standing(connection: Executor, name: str) -> Standing:
    """How far the witness with that key name has come, as far as this town knows."""
    row = connection.execute(_LAST, {"name": name}).first()
    return Standing(0, 0) if row is None else Standing(row.tree_size, row.at)


def prepare(connection: Executor, name: str, old_size: int | None = None) -> Submission | None:
    """The newest checkpoint for the witness with that key name; None when it has signed that already.

    ``old_size`` is what the witness said it knows; without it, what it signed last counts.
    """
    head = connection.execute(_NEWEST, {}).first()
    last = standing(connection, name).size
    if head is None or last >= head.tree_size:
        return None
    old = last if old_size is None else old_size
    if old > head.tree_size:
        raise WitnessRefused(
            f"it signed for {old} entries, and here are {head.tree_size}: an older database, or another log",
            is_grave=True,
        )
    body = request_body(old, consistency_for(connection, old, head.tree_size), head.note)
    return Submission(old, head.tree_size, head.note, body.encode())


def read_answer(sent: Submission, vkey: str, *, status: int, content_type: str, body: bytes) -> Cosignature:
    """The witness's cosignature on what was sent.

    Raises OldSize when it knows another size, and WitnessRefused for everything else.
    """
    if status == 409:  # noqa: PLR2004
        _raise_conflict(sent, content_type, body)
    if status != 200:  # noqa: PLR2004
        raise WitnessRefused(_REASONS.get(status, f"status {status}"), is_grave=status == 422)  # noqa: PLR2004
    try:
        lines = body.decode().split("\n")
        found = cosigned_by(with_lines(sent.note, *filter(None, lines)), vkey)
    except (UnicodeDecodeError, NoteError) as error:
        raise WitnessRefused(f"its answer is no cosignature: {error}") from None
    if not found:
        raise WitnessRefused("its answer is signed by another key than the one in the settings")
    return found[0]


_REASONS: Final = {
    400: "it could not read what was sent (400)",
    403: "it does not know the key that the log signs with (403): denizen witness add-log there",
    404: "it does not know this log (404): denizen witness add-log there",
    422: "the proof did not convince it (422): run denizen log verify",
}


def _raise_conflict(sent: Submission, content_type: str, body: bytes) -> None:
    told = _SIZE.fullmatch(body)
    if content_type == SIZE_TYPE and told is not None and int(told[1]) != sent.old_size:
        raise OldSize(int(told[1]))
    raise WitnessRefused(
        "it signed for another tree of the same size (409): run denizen log verify", is_grave=True
    )


def keep(connection: Executor, sent: Submission, cosignature: Cosignature, *, now: int) -> None:
    """Keep a cosignature beside its checkpoint."""
    values = {"tree_size": sent.size, "name": cosignature.name, "line": cosignature.line, "at": now}
    connection.execute(_INSERT, values)
