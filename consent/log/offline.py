"""Check an exported or downloaded log on any machine: no database, no settings, no secret."""

import hmac
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from consent.log.entries import commitment_under, leaf_bytes
from consent.log.export import RECORDS
from consent.log.findings import Finding, Verification, What
from consent.log.merkle import HASH_LENGTH, TILE_HEIGHT, TILE_WIDTH, Frontier, leaf_hash
from consent.log.notes import Checkpoint, NoteError, open_checkpoint
from consent.log.tiles import ENTRIES_LEVEL, tile_path, tile_sizes, unbundled

_BUNDLES_KEPT: Final = 256


def inspect_export(folder: Path, *, vkeys: Sequence[str], kept_checkpoint: str | None = None) -> Verification:
    """Recompute the tree from the entries in ``folder`` and hold it against its signed checkpoint and its tiles.

    Where there are records, each is held against its leaf. ``kept_checkpoint`` is one kept from earlier: the log must
    begin with it. Raises NoteError when none of ``vkeys`` signed a checkpoint, OSError when there is none.
    """
    head = open_checkpoint((folder / "checkpoint").read_text(encoding="utf-8"), *vkeys)
    kept = None if kept_checkpoint is None else open_checkpoint(kept_checkpoint, *vkeys)
    if kept is not None and kept.origin != head.origin:
        raise NoteError("the kept checkpoint is that of another log")
    check = _ExportCheck(folder, head, kept)
    check.run()
    return Verification(tuple(check.findings), check.leaves, 0, check.rows, check.sealed)


class _ExportCheck:
    """Walks the bundles once; ``findings`` fill as it goes."""

    def __init__(self, folder: Path, head: Checkpoint, kept: Checkpoint | None) -> None:
        self._folder, self._head, self._kept = folder, head, kept
        self._frontier = Frontier()
        self._above: dict[int, list[bytes]] = {}
        self.findings: list[Finding] = []
        self.leaves = self.rows = self.sealed = 0
        self._bundle = lru_cache(maxsize=_BUNDLES_KEPT)(self._read_bundle)

    def run(self) -> None:
        if self._kept is not None and self._kept.size > self._head.size:
            self._found("truncated", "checkpoint", f"the kept checkpoint has {self._kept.size} leaves")
        full, partial = divmod(self._head.size, TILE_WIDTH)
        for index in range(full + bool(partial)):
            if not self._take(index, partial if index == full else TILE_WIDTH):
                return  # nothing behind this can be placed
        if self._frontier.root() != self._head.root:
            self._found("edited", "checkpoint", f"{self._head.size} entries do not give the root it signs")
        for level, _, _ in tile_sizes(self._head.size)[1:]:
            self._check_tile(level)
        self._check_records()

    def _take(self, index: int, width: int) -> bool:
        """Hash one bundle and hold it against its tile; False when it can't be read."""
        path = tile_path(ENTRIES_LEVEL, index, width % TILE_WIDTH)
        try:
            hashes = [leaf_hash(entry) for entry in unbundled((self._folder / path).read_bytes())]
        except FileNotFoundError:
            self._found("deleted", path, "it is not there")
            return False
        except ValueError as error:
            self._found("edited", path, str(error))
            return False
        if len(hashes) != width:
            self._found("edited", path, f"it holds {len(hashes)} entries instead of {width}")
            return False
        self._compare_tile(0, index, hashes)
        for hashed in hashes:
            self._push(hashed)
        return True

    def _push(self, hashed: bytes) -> None:
        if (self._frontier.size + 1) % TILE_WIDTH:
            self._frontier.push(hashed)
        else:
            for level, _, node in self._frontier.push_last_of_tile(hashed):
                self._above.setdefault(level, []).append(node)
                if len(self._above[level]) == TILE_WIDTH:
                    self._check_tile(level)
        self.leaves += 1
        if (
            self._kept is not None
            and self._kept.size == self.leaves
            and self._frontier.root() != self._kept.root
        ):
            self._found(
                "edited", "checkpoint", f"the first {self.leaves} entries are not those that were kept"
            )

    def _check_tile(self, level: int) -> None:
        """Compare the hashes gathered for one tile of ``level``, and gather anew."""
        hashes = self._above.pop(level, [])
        if hashes:
            last = (self.leaves if len(hashes) < TILE_WIDTH else self.leaves + 1) >> TILE_HEIGHT * level
            self._compare_tile(level, (last - 1) // TILE_WIDTH, hashes)

    def _compare_tile(self, level: int, index: int, hashes: list[bytes]) -> None:
        path = tile_path(level, index, len(hashes) % TILE_WIDTH)
        try:
            stored = (self._folder / path).read_bytes()
        except FileNotFoundError:
            self._found("deleted", path, "it is not there")
            return
        if stored == b"".join(hashes):
            return
        pieces = [stored[at : at + HASH_LENGTH] for at in range(0, len(stored), HASH_LENGTH)]
        pairs = zip(hashes, [*pieces, *[b""] * len(hashes)], strict=False)
        at = next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), len(hashes))
        place = index * TILE_WIDTH + at
        self._found("edited", path, f"hash {place} is not that of what lies below it")

    def _check_records(self) -> None:
        for path in sorted((self._folder / RECORDS).glob("*.jsonl")):
            for number, line in _lines(path):
                self.rows += 1
                where = f"{RECORDS}/{path.name}:{number}"
                try:
                    detail = self._record_problem(orjson.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError):
                    detail = "the line is no record"
                if detail:
                    self._found("edited", where, detail)

    def _record_problem(self, said: dict[str, Any]) -> str:
        """Why a record is not what its leaf commits to; empty when it is, or can't be opened any more."""
        index = said["index"]
        if not isinstance(index, int) or not 0 <= index < self._head.size:
            return "no leaf has such an index"
        leaf = leaf_bytes(said["kind"], said["hour"], bytes.fromhex(said["commitment"]))
        if self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH] != leaf:
            return f"it is not what leaf {index} says"
        if said["opening"] is None:
            self.sealed += 1
            return ""
        opened_by = bytes.fromhex(said["opening"])
        expected = commitment_under(opened_by, said["table"], said["uid"], said["record"]).hex()
        return "" if hmac.compare_digest(expected, said["commitment"]) else "it differs from its commitment"

    def _read_bundle(self, index: int) -> list[bytes]:
        width = min(TILE_WIDTH, self._head.size - index * TILE_WIDTH)
        path = self._folder / tile_path(ENTRIES_LEVEL, index, width % TILE_WIDTH)
        return unbundled(path.read_bytes())

    def _found(self, what: What, path: str, detail: str) -> None:
        self.findings.append(Finding(what, "export", path, detail))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        yield from enumerate(file, start=1)
