"""A process that writes consents and releases as fast as it can, beside a sequencer, and says what it was promised.

It is told on standard input how long each writer may live, in seconds, and from when on (its `start`, or its `first`
acknowledged write), and kills it then (SIGKILL): writers are forked from it, so that a hundred of them cost little.
Each acknowledged write is one line on standard output.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import DBAPIError

from consent import log
from idp.db import Database
from tests.consent.town import NOW, ORIGIN, Town

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.consent.writing"]
#: Two ways to write: a session as the pages do, and the thread's own connection as the endpoints of tokens do.
WAYS = 2
#: Nothing is waited for longer, in seconds.
PATIENCE = 60


def new_signer() -> log.NoteSigner:
    """The log's key, the same in every process."""
    key = Ed25519PrivateKey.from_private_bytes(b"bad days" * 4)
    return log.NoteSigner(ORIGIN, key.public_key().public_bytes_raw(), key.sign)


def write(database: Database, purpose_id: str, number: int, now: int) -> str:
    """One consent, or one release; its name once it is committed."""
    if number % WAYS:
        with database.transaction() as session:
            uid = Town(session, new_signer(), now=now).event(purpose_id)  # type: ignore[arg-type]
        return f"event {uid.hex()}"
    name = secrets.token_urlsafe(16)
    with database.fast.transaction() as connection:
        Town(connection, new_signer(), now=now).release(authorization_id=name)  # type: ignore[arg-type]
    return f"release {name}"


def integrate(database: Database, now: int) -> bool:
    """One batch; False when nothing waits."""
    with database.transaction() as session:
        return Town(session, new_signer(), now=now).integrate(limit=7) is not None  # type: ignore[arg-type]


def _for_ever(step: Callable[[int], Any], first: int = -1) -> None:
    number = 0
    while True:
        try:
            said = step(number)
        except (DBAPIError, log.IntegrationConflict, OSError):
            time.sleep(0.01)
            continue
        except Exception as error:
            # The driver's own errors, from the thread's own connection.
            if type(error).__module__.partition(".")[0] not in ("sqlite3", "psycopg"):
                raise
            time.sleep(0.01)
            continue
        number += 1
        if isinstance(said, str):
            os.write(1, f"{said}\n".encode())  # one piece: a pipe takes all of it or nothing
            if number == 1:
                os.write(first, b"x")


def _live(told: dict[str, Any], first: int) -> None:
    if told["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (told["largest_file"], resource.RLIM_INFINITY))
    database = Database(told["url"])
    sequencing = lambda _: integrate(database, NOW)  # noqa: E731
    threading.Thread(target=_for_ever, args=(sequencing,), daemon=True).start()
    _for_ever(lambda number: write(database, told["purpose_id"], number, NOW), first)


def main() -> None:
    """Fork a writer for each line, and kill it when its time has come."""
    told = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        since, seconds = line.split()
        heard, first = os.pipe()
        writer = os.fork()
        if not writer:
            try:
                _live(told, first)
            finally:
                os._exit(1)
        os.close(first)
        if since == "first":
            select.select([heard], [], [], PATIENCE)
        time.sleep(float(seconds))
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        os.close(heard)
        os.write(1, b"killed\n" if os.WTERMSIG(status) == signal.SIGKILL else b"died\n")


if __name__ == "__main__":
    main()
