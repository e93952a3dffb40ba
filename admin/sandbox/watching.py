"""Lakeside watches Riverton's log: the witness of the sample town, at `/witness` of the neighbour's site."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from flask import Response, request

from consent.witness import keys
from consent.witness.memory import Memory
from consent.witness.rules import LONGEST_REQUEST, Answer
from consent.witness.service import Witness
from idp.app import open_context
from idp.settings import load
from idp.upkeep import note_signers

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from idp.settings import Settings

NAME: Final = "lakeside"
PATH: Final = "/witness"
_KEY_NAME: Final = "lakeside.example/witness"


class NeighbourWitness:
    """A witness in a folder of the demo; made when there is none yet."""

    def __init__(self, folder: Path) -> None:
        key = folder / "witness.key"
        self._memory = Memory(folder)
        if not key.exists():
            (folder / "witness.sqlite").unlink(missing_ok=True)  # nothing was ever signed without a key
            self._memory.create()
            keys.create(key, name=_KEY_NAME, algorithm="ed25519")
        cosigners = keys.load(key)
        self.vkey = cosigners[0].key.vkey
        self._witness = Witness(self._memory, cosigners, time.time)

    def watch(self, settings: Path) -> None:
        """Know the log of the town with these settings, by each key that it has or had."""
        found: Settings = load(settings)
        context = open_context(found, checkpoints=False)
        try:
            with context.database.reading() as session:
                signer, earlier = note_signers(session, context)
        finally:
            context.database.close()
        for vkey in (signer.vkey, *earlier):
            self._memory.add_log(vkey)

    def join(self, site: Flask) -> None:
        """Answer at the neighbour's own address."""
        site.add_url_rule(f"{PATH}/add-checkpoint", "add_checkpoint", self._asked, methods=["POST"])

    def _asked(self) -> Response:
        body = request.stream.read(LONGEST_REQUEST + 1)
        is_too_long = len(body) > LONGEST_REQUEST
        answer = Answer(413, "") if is_too_long else self._witness.add_checkpoint(body)
        return Response(answer.body, answer.status, content_type=answer.content_type)
