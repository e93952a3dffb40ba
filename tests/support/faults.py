"""Databases that fail: locked, read-only, full, unreachable, restarted. Each ends with its block."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.db import Database

#: The faults that let nothing be written, and those that let nothing be read either.
WRITES_FAIL = [("sqlite", "locked"), ("sqlite", "read-only"), ("postgresql", "read-only")]
ALL_FAILS = [("sqlite", "gone"), ("sqlite", "absent"), ("postgresql", "gone")]

#: Nothing stands still for longer, in seconds.
STOPPED_FOR = 20.0


@contextmanager
def fault(database: Database, name: str) -> Iterator[None]:
    """Make a database fail in one way; afterwards it is as before, and the app must heal by itself."""
    engine = "sqlite" if database.is_sqlite else "postgresql"
    makers = {
        "sqlite locked": _sqlite_locked,
        "sqlite read-only": _sqlite_read_only,
        "sqlite gone": _sqlite_gone,
        "sqlite absent": _sqlite_absent,
        "sqlite full": _sqlite_full,
        "postgresql read-only": _postgresql_read_only,
        "postgresql gone": _postgresql_gone,
    }
    with makers[f"{engine} {name}"](database):
        yield


def restart(database: Database) -> None:
    """End every connection from the server's side, as a restarted PostgreSQL does; they are over when this returns."""
    with _beside(database) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [database.engine.url.database],
        )


@contextmanager
def stopped(database: Database) -> Iterator[None]:
    """Whatever works for this database of PostgreSQL stands still, its connections open; who comes anew is served.

    A test that waits for it all the same goes on after some seconds, and is to find that this was too long.
    """
    with _beside(database) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
            [database.engine.url.database],
        ).fetchall()

    def send(which: signal.Signals) -> None:
        for (pid,) in found:
            with suppress(ProcessLookupError):
                os.kill(pid, which)

    too_long = threading.Timer(STOPPED_FOR, send, [signal.SIGCONT])
    try:
        send(signal.SIGSTOP)
        too_long.start()
        yield
    finally:
        send(signal.SIGCONT)
        too_long.cancel()


@contextmanager
def _every_connection(database: Database, *pragmas: str) -> Iterator[None]:
    """Set pragmas on every connection from now on, and on none afterwards."""

    def prepare(connection: Any, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()

    database.close()
    event.listen(database.engine, "connect", prepare)
    try:
        yield
    finally:
        event.remove(database.engine, "connect", prepare)
        database.close()


@contextmanager
def impatient(database: Database) -> Iterator[None]:
    """Nobody waits for a lock of SQLite; without this a test would wait for seconds."""
    with _every_connection(database, "busy_timeout = 0"):
        yield


def _path(database: Database) -> Path:
    return Path(str(database.engine.url.database))


@contextmanager
def _sqlite_locked(database: Database) -> Iterator[None]:
    """Another process is writing and does not end; nobody waits for it, or the test would."""
    other = sqlite3.connect(_path(database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with impatient(database):
            yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def _sqlite_read_only(database: Database) -> Iterator[None]:
    with _every_connection(database, "query_only = ON"):
        yield


@contextmanager
def _sqlite_full(database: Database) -> Iterator[None]:
    """The disk takes not a page more."""
    with _every_connection(database, "max_page_count = 1"):  # never below what there is
        yield


@contextmanager
def _sqlite_absent(database: Database) -> Iterator[None]:
    """The file is not there; SQLite makes an empty one."""
    database.close()
    path, aside = _path(database), _path(database).with_suffix(".aside")
    path.rename(aside)
    try:
        yield
    finally:
        database.close()
        for rest in path.parent.glob(f"{path.name}*"):
            rest.unlink()
        aside.rename(path)


@contextmanager
def _sqlite_gone(database: Database) -> Iterator[None]:
    """What stands in the file's place cannot be opened."""
    database.close()
    path, aside = _path(database), _path(database).with_suffix(".aside")
    path.rename(aside)
    path.mkdir()
    try:
        yield
    finally:
        database.close()
        path.rmdir()
        aside.rename(path)


@contextmanager
def _beside(database: Database) -> Iterator[psycopg.Connection[Any]]:
    url = database.engine.url
    with psycopg.connect(
        host=url.host, port=url.port or 5432, user=url.username, dbname="postgres", autocommit=True
    ) as connection:
        yield connection


@contextmanager
def _postgresql_altered(database: Database, change: str, back: str) -> Iterator[None]:
    with _beside(database) as connection:
        connection.execute(f'ALTER DATABASE "{database.engine.url.database}" {change}')  # type: ignore[arg-type]
    restart(database)
    try:
        yield
    finally:
        with _beside(database) as connection:
            connection.execute(f'ALTER DATABASE "{database.engine.url.database}" {back}')  # type: ignore[arg-type]
        restart(database)


@contextmanager
def _postgresql_read_only(database: Database) -> Iterator[None]:
    """As after a failover: what answers is a standby."""
    key = "default_transaction_read_only"
    with _postgresql_altered(database, f"SET {key} = on", f"RESET {key}"):
        yield


@contextmanager
def _postgresql_gone(database: Database) -> Iterator[None]:
    """Every connection is refused."""
    with _postgresql_altered(database, "ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
        yield
