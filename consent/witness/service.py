"""The witness itself: it remembers the largest tree of each log, and signs only what that grows into."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from consent.log.notes import Checkpoint, NoteError, open_checkpoint, split_note
from consent.log.verifiers import checkpoint_lines
from consent.witness import rules
from consent.witness.memory import Kept, Memory, MemoryProblem
from consent.witness.rules import Answer, Asked, MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consent.log.cosignatures import Cosigner

log = logging.getLogger("denizen.witness")

ADD_CHECKPOINT: Final = "/add-checkpoint"
_NOTHING: Final = Answer(404, "there is nothing here\n")


class Witness:
    """Answers logs; safe for any number of threads. `clock()` gives Unix seconds."""

    def __init__(self, memory: Memory, cosigners: Sequence[Cosigner], clock: Callable[[], float]) -> None:
        self._memory = memory
        self._cosigners = tuple(cosigners)
        self._clock = clock

    def shown(self, path: str) -> Answer:
        """`GET /`: the verifier keys. There is nothing else to be had."""
        if path == ADD_CHECKPOINT:
            return Answer(405, "send a checkpoint\n", allow="POST")
        return (
            Answer(200, "".join(f"{one.key.vkey}\n" for one in self._cosigners)) if path == "/" else _NOTHING
        )

    def posted(self, path: str, body: bytes) -> Answer:
        """`POST /add-checkpoint`."""
        if path == "/":
            return Answer(405, "nothing can be sent here\n", allow="GET, HEAD")
        return self.add_checkpoint(body) if path == ADD_CHECKPOINT else _NOTHING

    def add_checkpoint(self, body: bytes) -> Answer:
        """Decide on one request; what is answered with 200 is on the disk."""
        try:
            asked = rules.parse_request(body)
            origin, _, _ = checkpoint_lines(split_note(asked.note)[0])
        except (MalformedRequest, NoteError) as error:
            return Answer(400, f"{error}\n")
        try:
            return self._add(asked, origin)
        except (MemoryProblem, sqlite3.Error):
            log.exception("nothing was signed origin=%r", origin[:200])
            return Answer(503, "the witness cannot remember anything now\n")

    def _add(self, asked: Asked, origin: str) -> Answer:
        vkeys = self._memory.logs().get(origin)
        if vkeys is None:
            return Answer(404, "this witness does not know the log\n")
        try:
            checkpoint = open_checkpoint(asked.note, *vkeys)
        except NoteError as error:
            return Answer(403, f"{error}\n")
        try:
            answer = self._check_and_store(asked, checkpoint)
        except NoteError as error:  # nothing that one of our keys can sign
            return Answer(400, f"{error}\n")
        if answer.status in (409, 422) and answer.content_type != rules.SIZE_TYPE:
            # Two trees of one size, both signed, prove that a log lies: keep what proves it for whoever asks.
            log.warning("refused origin=%r status=%d note=%r", origin[:200], answer.status, asked.note[:1000])
        return answer

    def _check_and_store(self, asked: Asked, checkpoint: Checkpoint) -> Answer:
        """Under the lock: decide, remember, sign. The signatures leave only after all of it is on the disk."""
        with self._memory.transaction() as transaction:
            answer = rules.decide(asked, checkpoint, transaction.seen(checkpoint.origin))
            if not answer.is_good:
                return answer
            now = int(self._clock())
            transaction.remember(
                Kept(checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.note, now)
            )
            text = split_note(asked.note)[0]
            lines = [cosigner.line(text, now) for cosigner in self._cosigners]
        return Answer(200, "".join(f"{line}\n" for line in lines))
