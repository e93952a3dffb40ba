"""The log as a folder of plain files, laid out as it is published, so that anybody can keep and check it.

``checkpoint``, ``vkey``, ``policy`` and ``tile/…`` hold nothing about a person. ``records/…`` does: it is what was
committed to, with what opens each commitment, and is written for a court alone. Everything is written as it is read:
memory does not grow with the log.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, select

from consent.executor import Executor
from consent.log.batches import batches, by_name
from consent.log.entries import leaf_bytes, opening, row_record
from consent.log.findings import LogDamaged
from consent.log.merkle import TILE_WIDTH
from consent.log.rows import KeyFor
from consent.log.sources import SOURCES, Source
from consent.log.tiles import ENTRIES_LEVEL, bundled, tile, tile_path, tile_sizes
from consent.models import LogEntry, LogLeaf, table

RECORDS: Final = "records"
_ENTRY, _LEAF = table(LogEntry), table(LogLeaf)
_TILES_AT_ONCE: Final = 16
_ROWS_AT_ONCE: Final = 2000
_LEAVES = (
    select(_LEAF.c.leaf_hash, _ENTRY.c.kind, _ENTRY.c.hour, _ENTRY.c.commitment)
    .join_from(_LEAF, _ENTRY, _ENTRY.c.id == _LEAF.c.entry_id)
    .where(_LEAF.c.leaf_index >= bindparam("start"), _LEAF.c.leaf_index < bindparam("end"))
    .order_by(_LEAF.c.leaf_index)
)
_PLACES = (
    select(_ENTRY.c.id, _LEAF.c.leaf_index)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id)
    .where(_ENTRY.c.id.in_(bindparam("ids", expanding=True)))
)


def export_tree(connection: Executor, folder: Path, size: int) -> None:
    """Write the tiles and entries of the first ``size`` leaves below ``folder``; ``size`` is a checkpoint's."""
    step = _TILES_AT_ONCE * TILE_WIDTH
    for start in range(0, size, step):
        end = min(start + step, size)
        rows = connection.execute(_LEAVES, {"start": start, "end": end}).all()
        if len(rows) != end - start:
            raise LogDamaged(f"leaves {start} to {end - 1} are not all there")
        for first in range(0, len(rows), TILE_WIDTH):
            _write_leaves(folder, (start + first) // TILE_WIDTH, rows[first : first + TILE_WIDTH])
    for level, full, partial in tile_sizes(size)[1:]:
        for index in range(full + bool(partial)):
            width = partial if index == full else TILE_WIDTH
            hashes = tile(connection, level, index, width)
            if hashes is None:
                raise LogDamaged(f"tile {index} of level {level} lacks hashes")
            _write(folder / tile_path(level, index, width % TILE_WIDTH), b"".join(hashes))


def _write_leaves(folder: Path, index: int, rows: Sequence[Any]) -> None:
    width = len(rows) % TILE_WIDTH
    entries = [leaf_bytes(kind, hour, committed) for _, kind, hour, committed in rows]
    _write(folder / tile_path(0, index, width), b"".join(row[0] for row in rows))
    _write(folder / tile_path(ENTRIES_LEVEL, index, width), bundled(entries))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def export_records(
    connection: Executor,
    folder: Path,
    size: int,
    *,
    key_for: KeyFor,
    service_key: bytes,
    sources: Sequence[Source] = SOURCES,
) -> int:
    """Write every row that the first ``size`` leaves speak of, and what opens its commitment; how many.

    One JSON object a line: index, table, uid, kind, hour, commitment, opening (null once the resident's key is
    destroyed: the record can't be proven any more), and the record as it was committed to.
    """
    (folder / RECORDS).mkdir(mode=0o700)
    count = 0
    for source in sources:
        name = f"{source.table.name}-{source.uid}.jsonl"
        for_owner = os.open(folder / RECORDS / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(for_owner, "wb") as file:
            for batch in batches(connection, source.rows, source.uid, b"", limit=_ROWS_AT_ONCE):
                rows = [*by_name(batch)]
                places = _places(connection, rows)
                for row in rows:
                    index = places.get(row["entry_id"], size)
                    if index < size:
                        file.write(orjson.dumps({"index": index, **_line(source, row, key_for, service_key)}))
                        file.write(b"\n")
                        count += 1
    return count


def _places(connection: Executor, rows: Sequence[Any]) -> dict[int, int]:
    ids = [row["entry_id"] for row in rows if row["entry_id"] is not None]
    return dict(tuple(row) for row in connection.execute(_PLACES, {"ids": ids}).all()) if ids else {}


def _line(source: Source, row: Any, key_for: KeyFor, service_key: bytes) -> dict[str, Any]:
    subject = row[source.subject] if source.subject else None
    key = service_key if subject is None else _key(key_for, subject)
    return {
        "table": source.table.name,
        "uid": row[source.uid].hex(),
        "kind": row["entry_kind"],
        "hour": row["entry_hour"],
        "commitment": row["entry_commitment"].hex(),
        "opening": None if key is None else opening(key, row[source.uid]).hex(),
        "record": row_record(row, source.columns),
    }


def _key(key_for: KeyFor, subject: str) -> bytes | None:
    try:
        return key_for(subject)
    except LookupError:  # no such resident ever was: whoever checks the record finds that it can't be opened
        return None
