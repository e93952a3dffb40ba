"""Makes the file of `idp.login.breached` from a list of passwords, however long, in little memory.

Two kinds of list are read: SHA-1 hashes with counts as Have I Been Pwned gives them out (`HASH:COUNT`, a line each,
in any order), and plain passwords, one a line. Entries are sorted a batch at a time; batches that follow one another
form one run, so a sorted list is written straight through. Several runs are merged at the end.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import unicodedata
from binascii import unhexlify
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, Final

from idp.login.breached import HEADER_SIZE, WIDTH, entry_of, header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_HASHED: Final = re.compile(rb"([0-9A-Fa-f]{40})(?::([0-9]{1,15}))?[ \t]*")
_RANGE: Final = re.compile(rb"[0-9A-Fa-f]{35}:[0-9]+[ \t\r]*")
_BLOCK: Final = 1 << 20
_LINE_LIMIT: Final = 1000
#: Entries that are sorted at a time: all in all about 100 MB of memory.
BATCH: Final = 250_000
_MERGE_BLOCK: Final = WIDTH * 4096


class ListUnreadable(Exception):
    """The list is not of a kind that can be imported; the text names the line."""


@dataclass(slots=True)
class Imported:
    """What was read and what is kept. `kind` is hashes or passwords."""

    kind: str = ""
    lines: int = 0
    below_minimum: int = 0
    kept: int = 0


@dataclass(slots=True)
class _Spill:
    """The draft of the file: room for its header, then one sorted run after the other."""

    file: BinaryIO
    starts: list[int] = field(default_factory=list)
    size: int = HEADER_SIZE
    last: bytes = b""
    body: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, entries: list[bytes]) -> None:
        """Keep one batch: as the rest of the present run where it follows it, else as a new one."""
        entries.sort()
        if self.last and entries and entries[0] == self.last:
            entries = [entry for entry in entries if entry != self.last]
        if not entries:
            return
        if not self.starts or entries[0] < self.last:
            self.starts.append(self.size)
        content = b"".join(dict.fromkeys(entries))
        self.file.write(content)
        self.body.update(content)
        self.size += len(content)
        self.last = entries[-1]

    def runs(self) -> list[Iterator[bytes]]:
        """Every run as its entries."""
        return [self._run(start, end) for start, end in pairwise([*self.starts, self.size])]

    def _run(self, start: int, end: int) -> Iterator[bytes]:
        for place in range(start, end, _MERGE_BLOCK):
            block = os.pread(self.file.fileno(), min(_MERGE_BLOCK, end - place), place)
            yield from (block[at : at + WIDTH] for at in range(0, len(block), WIDTH))


def import_list(
    source: BinaryIO,
    target: Path,
    *,
    min_count: int = 1,
    progress: Callable[[int], object] = lambda _: None,
    batch: int = BATCH,
) -> Imported:
    """Read a list and replace the file at `target`, all or nothing. `progress` is told bytes as they are read.

    Raises:
        ListUnreadable: for a line that cannot be right; nothing is replaced then.
        OSError: when the file cannot be written.
    """
    draft, merged = (target.with_name(f".{target.name}.{kind}") for kind in ("draft", "merged"))
    try:
        with draft.open("w+b") as file:
            file.write(bytes(HEADER_SIZE))
            spill, told = _Spill(file), Imported()
            for entries in _batches(_lines(source, progress), told, min_count, batch):
                spill.add(entries)
            file.flush()
            if len(spill.starts) > 1:
                with merged.open("w+b") as whole:
                    told.kept = _merge(spill, whole)
                merged.replace(draft)
            else:
                told.kept = (spill.size - HEADER_SIZE) // WIDTH
                _finish(file, told.kept, spill.body.digest())
        draft.replace(target)
        _keep_name(target)
    finally:
        for path in (draft, merged):
            with suppress(FileNotFoundError):
                path.unlink()
    return told


def _lines(source: BinaryIO, progress: Callable[[int], object]) -> Iterator[list[bytes]]:
    """The lines of a file, many at a time; a last line may lack its end."""
    rest, seen = b"", 0
    while block := source.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > _LINE_LIMIT:
            raise ListUnreadable(f"Line {seen + len(lines) + 1} is longer than {_LINE_LIMIT} bytes.")
        seen += len(lines)
        if lines:
            yield lines
        progress(len(block))
    if rest:
        yield [rest]


def _batches(
    blocks: Iterable[list[bytes]], told: Imported, min_count: int, batch: int
) -> Iterator[list[bytes]]:
    entries: list[bytes] = []
    for lines in blocks:
        if not told.kind:
            told.kind = _kind(lines[0].rstrip(b"\r"), min_count)
        read = _hashed if told.kind == "hashes" else _plain
        for start in range(0, len(lines), batch):
            part = lines[start : start + batch]
            entries += read(part, told, min_count)
            told.lines += len(part)
            if len(entries) >= batch:
                yield entries
                entries = []
    if not told.kind:
        raise ListUnreadable("The list is empty.")
    yield entries


def _kind(first: bytes, min_count: int) -> str:
    if found := _HASHED.fullmatch(first):
        if min_count > 1 and found[2] is None:
            raise ListUnreadable("--min-count needs counts: lines of the form HASH:COUNT.")
        return "hashes"
    if _RANGE.fullmatch(first):
        raise ListUnreadable(
            "Line 1 has 35 digits: this is one of many range files. Download the list as one file of whole hashes."
        )
    if min_count > 1:
        raise ListUnreadable("--min-count needs counts: lines of the form HASH:COUNT. This list has none.")
    return "passwords"


def _hashed(lines: list[bytes], told: Imported, min_count: int) -> list[bytes]:
    kept = []
    match = _HASHED.fullmatch
    for number, line in enumerate(lines, told.lines + 1):
        found = match(line.rstrip(b"\r"))
        if found is None:
            if line.strip():
                raise ListUnreadable(
                    f"Line {number} is no SHA-1 hash of 40 digits with a count: {_shown(line)}"
                )
            continue
        digits, count = found.groups()
        if count is not None and int(count) < min_count:
            told.below_minimum += 1
            continue
        kept.append(unhexlify(digits[: 2 * WIDTH]))
    return kept


def _plain(lines: list[bytes], told: Imported, _: int) -> list[bytes]:
    kept = []
    for number, line in enumerate(lines, told.lines + 1):
        if b"\0" in line:
            raise ListUnreadable(
                f"Line {number} holds a zero byte: this is no list of passwords in text form."
            )
        try:
            password = unicodedata.normalize("NFC", line.rstrip(b"\r").decode())
        except UnicodeDecodeError:
            continue  # nobody can type it here: what is typed is UTF-8
        if password:
            kept += [entry_of(form) for form in {password, password.casefold()}]
    return kept


def _shown(line: bytes) -> str:
    """The first letters of a line, enough to find it; a whole one could be somebody's password."""
    return repr(line[:4].decode("utf-8", "replace") + "…")


def _merge(spill: _Spill, whole: BinaryIO) -> int:
    """Write every run into one, each entry once; the number of entries."""
    whole.write(bytes(HEADER_SIZE))
    body, count, last, kept = hashlib.sha256(), 0, b"", bytearray()
    for entry in heapq.merge(*spill.runs()):
        if entry == last:
            continue
        last = entry
        count += 1
        kept += entry
        if len(kept) >= _BLOCK:
            whole.write(kept)
            body.update(kept)
            kept = bytearray()
    whole.write(kept)
    body.update(kept)
    _finish(whole, count, body.digest())
    return count


def _finish(file: BinaryIO, count: int, body_hash: bytes) -> None:
    """The header comes last: a file that was cut short has none."""
    file.seek(0)
    file.write(header(count, body_hash))
    file.flush()
    os.fsync(file.fileno())


def _keep_name(target: Path) -> None:
    """See to it that the new name outlasts a power cut."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
