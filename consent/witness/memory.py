"""What a witness must never forget: per log the largest tree that it signed for. One SQLite file of its own.

Check and store are one transaction that holds the write lock from its beginning, and is on the disk before anything
is answered; several threads or processes may share the file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consent.log.verifiers import LOG_KEYS, NoteError, parse_verifier
from consent.witness.rules import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MEMORY: Final = "witness.sqlite"
_LOGS: Final = "logs.txt"
_WAIT_FOR: Final = 5.0
_TABLE: Final = """
CREATE TABLE seen (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID
"""
#: A tree never shrinks, whatever the code before it believed.
_REMEMBER: Final = """
INSERT INTO seen (origin, size, root, note, at) VALUES (:origin, :size, :root, :note, :at)
ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, at = excluded.at
WHERE excluded.size > seen.size OR (excluded.size = seen.size AND excluded.root = seen.root)
"""
_HEAD: Final = "# Logs that this witness watches, by their verifier keys; one a line, written by: denizen witness add-log\n"


class MemoryProblem(Exception):
    """The folder cannot be used; the text says why, in the operator's words."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A log and the largest tree that was signed for."""

    origin: str
    size: int
    root: bytes
    note: str
    at: int


class Transaction:
    """One look at the memory that nobody can come between."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def seen(self, origin: str) -> Seen:
        """The largest tree of a log; nothing yet counts as the empty one."""
        row = self._connection.execute("SELECT size, root FROM seen WHERE origin = ?", [origin]).fetchone()
        return Seen() if row is None else Seen(row[0], row[1])

    def remember(self, kept: Kept) -> None:
        """Write down a tree."""
        values = {name: getattr(kept, name) for name in ("origin", "size", "root", "note", "at")}
        if self._connection.execute(_REMEMBER, values).rowcount != 1:
            raise MemoryProblem(f"{kept.origin}: a larger or another tree was signed before")


class Memory:
    """A witness's folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _MEMORY
        self._logs = folder / _LOGS

    def create(self) -> None:
        """Make an empty memory, once: a witness that begins anew under the same key could sign two trees."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            raise MemoryProblem(f"{self._path} is there already, and a witness never forgets.")
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(_TABLE)
        draft.replace(self._path)
        _sync_folder(self._path.parent)

    def check(self) -> None:
        """Raise MemoryProblem unless the memory is there."""
        if not self._path.is_file():
            raise MemoryProblem(
                f"{self._path} is missing. Make a new witness with: denizen witness init. If this one has signed "
                "before, it must not begin anew under its old key: make a new key, too."
            )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One check-and-store, on the disk when the block ends without an exception."""
        self.check()
        with closing(sqlite3.connect(self._path, timeout=_WAIT_FOR, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = EXTRA")  # even the end of the journal is on the disk
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def kept(self) -> list[Kept]:
        """Every log that was signed for, by its name."""
        self.check()
        with closing(sqlite3.connect(self._path, timeout=_WAIT_FOR)) as connection:
            rows = connection.execute("SELECT origin, size, root, note, at FROM seen ORDER BY origin")
            return [Kept(*row) for row in rows]

    def logs(self) -> dict[str, tuple[str, ...]]:
        """The known logs: the verifier keys of each origin."""
        found: dict[str, tuple[str, ...]] = {}
        for vkey in self._vkeys():
            try:
                name = log_name(vkey)
            except NoteError as error:
                raise MemoryProblem(f"{self._logs}: {vkey[:60]}: {error}") from None
            found[name] = (*found.get(name, ()), vkey)
        return found

    def add_log(self, vkey: str) -> bool:
        """Watch one more log, or one more key of it; False if it is known already. Raises NoteError for a bad key."""
        self.check()
        log_name(vkey)
        known = self._vkeys()
        if vkey in known:
            return False
        draft = self._logs.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(_HEAD + "".join(f"{one}\n" for one in [*known, vkey]))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._logs)
        _sync_folder(self._logs.parent)
        return True

    def _vkeys(self) -> list[str]:
        try:
            lines = self._logs.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def log_name(vkey: str) -> str:
    """The origin of the log whose verifier key this is. Raises NoteError if it is none of a log."""
    key = parse_verifier(vkey)
    if key.type not in LOG_KEYS:
        raise NoteError("this is the key of a witness, not of a log")
    return key.name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
