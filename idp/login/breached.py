"""Passwords that everybody knows, looked up offline: a short list of our own, and a file that a town imports.

The file is 64 bytes of header, then the first 8 bytes of the SHA-1 of each password, sorted and unique. SHA-1
protects nothing here: it is the form in which such lists are handed around. A look-up reads a few entries at their
place however long the list is; what is read belongs to the system's cache. (It is not mapped into memory: a file that
somebody cuts short under a mapping ends the process.) Of n entries a new password
is refused by mistake with probability n / 2**64: for a thousand million entries, one in 18 thousand million.
`breached_import` writes it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import weakref
from bisect import bisect_left
from functools import cache
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from idp.login.rules import normal_password

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("denizen.login")

WIDTH: Final = 8
VERSION: Final = 1
_MAGIC: Final = b"DENIZENb"
#: Magic, version, bytes per entry, entries, SHA-256 of all entries; then the start of the SHA-256 of these.
_FIELDS: Final = struct.Struct(">8sIIQ32s")
_CHECK: Final = 8
HEADER_SIZE: Final = _FIELDS.size + _CHECK
_BLOCK: Final = 1 << 20
_BUILT_IN: Final = Path(__file__).with_name("common_passwords.txt")


class BreachedFileProblem(Exception):
    """The imported list cannot be used; the text says why, and the way out."""


def entry_of(password: str) -> bytes:
    """What stands in a file for a password, whose letters are as the list has them."""
    return hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:WIDTH]


def header(count: int, body_hash: bytes) -> bytes:
    """The first bytes of a file of `count` entries."""
    fields = _FIELDS.pack(_MAGIC, VERSION, WIDTH, count, body_hash)
    return fields + hashlib.sha256(fields).digest()[:_CHECK]


def false_positive_rate(count: int) -> float:
    """How likely a list of so many entries refuses a password that is not on it."""
    return count / 2.0 ** (8 * WIDTH)


class BreachedFile:
    """One file, open for look-ups by any thread.

    Raises:
        BreachedFileProblem: when it is missing, cut short or something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self.count, self._body_hash = self._read_header(file.read(HEADER_SIZE))
                self._size = os.fstat(file.fileno()).st_size
                self._descriptor = os.dup(file.fileno())
        except OSError as error:
            raise BreachedFileProblem(
                f"{path} cannot be read ({error.strerror}). Make it with: denizen passwords import FILE, "
                "or leave [passwords] breached_file empty."
            ) from None
        weakref.finalize(self, os.close, self._descriptor)
        if self._size != HEADER_SIZE + self.count * WIDTH:
            raise self._problem("is cut short, or longer than it says")

    def holds(self, entry: bytes) -> bool:
        """Whether an entry is in the file. Hashes are spread evenly, so its place is known nearly at once.

        Raises:
            BreachedFileProblem: when the file was cut short since it was opened.
        """
        guess = int.from_bytes(entry, "big") * self.count >> (8 * WIDTH)
        reach = isqrt(self.count) + 1
        low, high = max(0, guess - reach), min(self.count, guess + reach)
        while low > 0 and self._at(low) > entry:
            reach *= 4
            low = max(0, guess - reach)
        while high < self.count and self._at(high - 1) < entry:
            reach *= 4
            high = min(self.count, guess + reach)
        place = low + bisect_left(range(low, high), entry, key=self._at)
        return place < self.count and self._at(place) == entry

    def verify(self) -> None:
        """Read the whole file and compare it with its checksum.

        Raises:
            BreachedFileProblem: when a byte has changed.
        """
        found = hashlib.sha256()
        for block in self._blocks():
            found.update(block)
        if found.digest() != self._body_hash:
            raise self._problem("is damaged: its content does not match its checksum")

    def _at(self, place: int) -> bytes:
        entry = os.pread(self._descriptor, WIDTH, HEADER_SIZE + place * WIDTH)
        if len(entry) != WIDTH:
            raise self._problem("was cut short while it was in use")
        return entry

    def _blocks(self) -> Iterator[bytes]:
        for start in range(HEADER_SIZE, self._size, _BLOCK):
            yield os.pread(self._descriptor, _BLOCK, start)

    def _read_header(self, found: bytes) -> tuple[int, bytes]:
        fields = found[: _FIELDS.size]
        if len(found) < HEADER_SIZE or not fields.startswith(_MAGIC):
            raise self._problem("was not made by denizen passwords import")
        if hashlib.sha256(fields).digest()[:_CHECK] != found[_FIELDS.size :]:
            raise self._problem("is damaged")
        _, version, width, count, body_hash = _FIELDS.unpack(fields)
        if (version, width) != (VERSION, WIDTH):
            raise self._problem("was made by another version")
        return count, body_hash

    def _problem(self, what: str) -> BreachedFileProblem:
        return BreachedFileProblem(f"{self._path} {what}. Make it anew with: denizen passwords import FILE")


class KnownPasswords:
    """What nobody may choose: our own list, and the town's file, which is read anew once it was replaced.

    Raises:
        BreachedFileProblem: for a file that is named and cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._file = None if path is None else BreachedFile(path)

    def has(self, password: str) -> bool:
        """Whether a password is on a list, as it was typed or in small letters."""
        typed = normal_password(password)
        forms = {typed, typed.casefold()}
        if typed.casefold() in built_in():
            return True
        file = self._current_file()
        try:
            return file is not None and any(file.holds(entry_of(form)) for form in forms)
        except BreachedFileProblem as problem:
            log.error("breached list out of use: %s", problem)  # noqa: TRY400
            return False

    def _current_file(self) -> BreachedFile | None:
        stamp = _stamp(self._path)
        if self._path is not None and stamp is not None and stamp != self._stamp:
            try:
                self._file = BreachedFile(self._path)
            except BreachedFileProblem as problem:
                log.error("breached list not renewed, the former one stays in use: %s", problem)  # noqa: TRY400
            self._stamp = stamp
        return self._file


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What tells one file from the one that replaces it."""
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return found and (found.st_ino, found.st_mtime_ns, found.st_size)


@cache
def known_passwords(path: str) -> KnownPasswords:
    """The lists of a town whose `[passwords] breached_file` is `path`; opened once per process.

    Raises:
        BreachedFileProblem: for a file that is named and cannot be used.
    """
    return KnownPasswords(Path(path) if path else None)


@cache
def built_in() -> frozenset[str]:
    """The passwords of our own list, in small letters; none has fewer than eight."""
    lines = _BUILT_IN.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))
