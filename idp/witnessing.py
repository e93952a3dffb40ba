"""Asking the town's witnesses: each gets the newest checkpoint, and what it signs is kept beside it.

Nobody waits for it: it is a job with a thread of its own, and a witness that does not answer rests for a while.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consent.witness import feeding
from consent.witness.feeding import OldSize, WitnessRefused
from idp.jobs.outgoing import chance
from idp.jobs.rules import Retries
from idp.web.fetcher import Fetcher, FetchFailed, origin_of

if TYPE_CHECKING:
    from consent.log.cosignatures import Cosignature
    from consent.witness.feeding import Submission
    from idp.settings.log import Witness
    from idp.web.context import Context

log = logging.getLogger("denizen.witnesses")

#: Pauses after a witness failed, in seconds; the last one stays.
RETRIES: Final = Retries((10, 30, 60, 300, 900))
_LONGEST_REST: Final = 1200
#: Octets of an answer: a few cosignatures of the largest kind.
_ANSWER: Final = 32 * 1024
_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Rest:
    until: int = 0
    failures: int = 0


class Rounds:
    """Goes round the witnesses; of use to one thread."""

    def __init__(self, context: Context, fetcher: Fetcher | None = None) -> None:
        self._context = context
        self._witnesses = context.settings.log.witnesses
        # The operator named these addresses, so they may be inside the town's own network.
        own = frozenset(origin_of(one.url) for one in self._witnesses)
        self._fetcher = fetcher or Fetcher(context.settings.testing, own=own)
        self._rests: dict[str, _Rest] = {}

    def run(self, now: int) -> None:
        """Ask every witness that has not signed the newest checkpoint and is not at rest."""
        for witness in self._witnesses:
            rest = self._rests.get(witness.name, _Rest())
            # A rest that ends far ahead was begun before the clock was set back.
            if now < rest.until <= now + _LONGEST_REST:
                continue
            try:
                self._ask(witness)
            except (WitnessRefused, FetchFailed) as error:
                self._failed(witness, error, now)
            else:
                self._rests.pop(witness.name, None)

    def _ask(self, witness: Witness) -> None:
        sent = self._prepared(witness)
        if sent is None:
            return
        try:
            cosignature = self._sent(witness, sent)
        except OldSize as known:
            sent = self._prepared(witness, known.size)
            if sent is None:
                return
            cosignature = self._again(witness, sent)
        with self._context.database.transaction() as session:
            feeding.keep(session, sent, cosignature, now=self._context.now())
        log.info("cosigned name=%s size=%d", witness.name, sent.size)

    def _prepared(self, witness: Witness, old_size: int | None = None) -> Submission | None:
        with self._context.database.reading() as session:
            return feeding.prepare(session, witness.key_name, old_size)

    def _again(self, witness: Witness, sent: Submission) -> Cosignature:
        """Once more, from the size that the witness named."""
        try:
            return self._sent(witness, sent)
        except OldSize as error:
            raise WitnessRefused("it changes its mind about the size it knows") from error

    def _sent(self, witness: Witness, sent: Submission) -> Cosignature:
        answer = self._fetcher.post(
            f"{witness.url}/add-checkpoint", sent.body, content_type=_TYPE, limit=_ANSWER
        )
        return feeding.read_answer(
            sent, witness.vkey, status=answer.status, content_type=answer.content_type, body=answer.body
        )

    def _failed(self, witness: Witness, error: WitnessRefused | FetchFailed, now: int) -> None:
        failures = self._rests.get(witness.name, _Rest()).failures + 1
        self._rests[witness.name] = _Rest(now + RETRIES.pause(failures, chance()), failures)
        say = log.error if isinstance(error, WitnessRefused) and error.is_grave else log.warning
        say("not cosigned name=%s cause=%s", witness.name, error.cause)
