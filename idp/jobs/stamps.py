"""What rarely changes is kept in memory; a stamp in the database tells every process to read it again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import bindparam, select, text

from idp.db import is_unavailable
from idp.jobs.models import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from idp.db import Database

T = TypeVar("T")

#: What processes keep in memory, by the name of its stamp.
CLIENTS = "clients"
KEYS = "keys"
PURPOSES = "purposes"

_READ = select(Stamp.version).where(Stamp.name == bindparam("name"))
# One statement, so that two first changes at once do not meet.
_BUMP = text(
    "INSERT INTO jobs_stamp (name, version) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET version = jobs_stamp.version + 1"
)
#: How long a process may work with what it has, in seconds (design: within a second across nodes).
FRESH_FOR = 1.0


def bump(connection: Any, name: str) -> None:
    """Tell every process that `name` changed; part of the transaction that changes it."""
    connection.execute(_BUMP, {"name": name})


class Cached(Generic[T]):
    """A value read from the database, at most a second old."""

    def __init__(self, database: Database, name: str, load: Callable[[Any], T]) -> None:
        self._database = database
        self._name = name
        self._load = load
        self._lock = threading.Lock()
        self._version = -1
        self._fresh_until = 0.0
        self._value: T | None = None

    def get(self) -> T:
        """The value; the database is asked at most once a second."""
        if time.monotonic() >= self._fresh_until:
            self._refresh()
        assert self._value is not None
        return self._value

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() < self._fresh_until:
                return
            try:
                self._read()
            except Exception as error:
                # Keys stay published while the database is away; nothing is granted without it anyway.
                if self._value is None or not is_unavailable(error):
                    raise
            self._fresh_until = time.monotonic() + FRESH_FOR

    def _read(self) -> None:
        row = self._database.fast.execute(_READ, {"name": self._name}).first()
        version = row.version if row else 0
        if version != self._version:
            with self._database.reading() as session:
                self._value = self._load(session)
            self._version = version

    def forget(self) -> None:
        """Read again at the next use, for the process that made the change."""
        self._fresh_until = 0.0
