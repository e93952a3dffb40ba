"""The town's print shop: looks for letters every second, makes the batch, and puts each one into the mailbox."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from idp.app import open_context
from idp.messaging.letters import make_batch
from idp.messaging.models import Message
from idp.messaging.service import open_message
from idp.messaging.texts import write_letter
from idp.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from admin.sandbox.mailbox import MailStore
    from idp.web.context import Context

log = logging.getLogger("denizen.sandbox")

_LOOK_EVERY = 1.0


class Printer:
    """Prints in a thread of its own; what it knows of a letter, the print shop of a real town reads off the paper."""

    def __init__(self, settings: Path, store: MailStore, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._work, name="printer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        context = open_context(load(self._settings), checkpoints=False)
        while not self._halt.wait(_LOOK_EVERY):
            try:
                print_waiting(context, self._store, now=self._clock())
            except Exception:
                log.exception("the print shop has trouble")
        context.database.close()


def print_waiting(context: Context, store: MailStore, *, now: float) -> int:
    """Print what waits, if anything does; how many letters."""
    with context.database.reading() as session:
        waiting = session.execute(
            select(Message).where(
                Message.channel == "letter", Message.state == "waiting", Message.due_at <= now
            )
        )
        words = {letter.id: _words(context, letter) for letter in waiting.scalars().all()}
    made = make_batch(context, store.folder, now=int(now)) if words else None
    if made is None:
        return 0
    for listed in made.listed:
        store.add_other(
            "letter", now=now, pdf=made.pdf.name, page=listed["first_page"], **words[listed["id"]]
        )
    return made.letters


def _words(context: Context, letter: Message) -> dict[str, Any]:
    content = open_message(context.vault, letter)
    text = write_letter(context.settings, letter.name, letter.language, content.values)
    return {
        "sender": context.settings.letters.sender or context.settings.town.name,
        "to": ", ".join([content.to["name"], *content.to["lines"]]),
        "subject": text.subject,
        "text": "\n\n".join(text.paragraphs),
    }
