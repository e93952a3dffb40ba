"""The tree as C2SP tlog-tiles cuts it: 256 hashes a tile, read from the database.

Level 0 is the table of leaves. Above it stands one row for each full tile of the level below, so nothing is stored
twice and a tile is one range of a primary key.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, func, select

from consent.executor import Executor
from consent.log.entries import leaf_bytes
from consent.log.findings import LogDamaged
from consent.log.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, node_hash
from consent.models import LogCosignature, LogEntry, LogLeaf, LogNode, table

#: What stands in place of a level where entries are named.
ENTRIES_LEVEL: Final = "entries"
_MOST_DIGITS: Final = 15  # times 256 it fits a column
_HIGHEST_LEVEL: Final = 63
_ENTRY, _LEAF, _NODE = table(LogEntry), table(LogLeaf), table(LogNode)
_COSIGNATURE = table(LogCosignature)
# A proof asks a dozen of these questions: a session that can hands them to the driver itself (`denizen_prepared`).
_LEAVES = (
    select(_LEAF.c.leaf_hash)
    .where(_LEAF.c.leaf_index >= bindparam("start"), _LEAF.c.leaf_index < bindparam("end"))
    .order_by(_LEAF.c.leaf_index)
    .execution_options(denizen_prepared=True)
)
_NODES = (
    select(_NODE.c.node_hash)
    .where(
        _NODE.c.level == bindparam("level"),
        _NODE.c.node_index >= bindparam("start"),
        _NODE.c.node_index < bindparam("end"),
    )
    .order_by(_NODE.c.node_index)
    .execution_options(denizen_prepared=True)
)
_ENTRIES = (
    select(_ENTRY.c.kind, _ENTRY.c.hour, _ENTRY.c.commitment)
    .join_from(_LEAF, _ENTRY, _ENTRY.c.id == _LEAF.c.entry_id)
    .where(_LEAF.c.leaf_index >= bindparam("start"), _LEAF.c.leaf_index < bindparam("end"))
    .order_by(_LEAF.c.leaf_index)
)
_WITNESSED = (
    select(_COSIGNATURE.c.tree_size)
    .where(_COSIGNATURE.c.at >= bindparam("since"))
    .group_by(_COSIGNATURE.c.tree_size)
    .having(func.count(_COSIGNATURE.c.name.distinct()) >= bindparam("quorum"))
    .order_by(_COSIGNATURE.c.tree_size.desc())
    .limit(1)
    .execution_options(denizen_prepared=True)
)
_COSIGNATURES = (
    select(_COSIGNATURE.c.line)
    .where(_COSIGNATURE.c.tree_size == bindparam("size"))
    .order_by(_COSIGNATURE.c.id)
    .execution_options(denizen_prepared=True)
)


def tile(connection: Executor, level: int, index: int, width: int = TILE_WIDTH) -> list[bytes] | None:
    """The first ``width`` hashes of tile ``index`` in ``level``; None where the tree has not grown so far."""
    start = index * TILE_WIDTH
    span = {"start": start, "end": start + width}
    statement = _NODES if level else _LEAVES
    found = connection.execute(statement, {"level": level, **span} if level else span).all()
    return [bytes(row[0]) for row in found] if len(found) == width else None


def bundle(connection: Executor, index: int, width: int = TILE_WIDTH) -> bytes | None:
    """The first ``width`` entries below tile ``index`` of level 0, as tlog-tiles bundles them; None if not there."""
    start = index * TILE_WIDTH
    found = connection.execute(_ENTRIES, {"start": start, "end": start + width}).all()
    return bundled([leaf_bytes(*row) for row in found]) if len(found) == width else None


def bundled(entries: Sequence[bytes]) -> bytes:
    """Entries one after another, each behind its length in two bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(content: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError for a length that leads past the end."""
    entries, at = [], 0
    while at < len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2], "big")
        if end > len(content) or at + 2 > len(content):
            raise ValueError("the bundle ends within an entry")
        entries.append(content[at + 2 : end])
        at = end
    return entries


def cosigned(connection: Executor, note: str, size: int) -> str:
    """The checkpoint ``note`` with what witnesses said of it: their lines stand below the log's own."""
    lines = connection.execute(_COSIGNATURES, {"size": size}).all()
    return note + "".join(f"{row[0]}\n" for row in lines)


def witnessed_size(connection: Executor, *, quorum: int = 1, since: int = 0) -> int:
    """The size of the newest checkpoint that so many witnesses have cosigned since then; 0 if there is none."""
    return connection.execute(_WITNESSED, {"quorum": quorum, "since": since}).scalar() or 0


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    level: Sequence[bytes] = hashes
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


class TileReader:
    """Hashes of any part of the tree of ``size`` leaves, each tile read at most once."""

    def __init__(self, connection: Executor, size: int, frontier: Sequence[bytes] = ()) -> None:
        """``size`` must be that of a signed checkpoint; its ``frontier`` saves reading the tiles of the right edge."""
        self._connection = connection
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._edge = dict(zip(_right_edge(size), frontier, strict=False))

    def subtree(self, start: int, end: int) -> bytes:
        """The root over leaves ``start`` to ``end - 1`` (:data:`consent.log.merkle.Subtree`).

        ``start`` must be a multiple of the largest power of two within the range, as in every proof. Raises
        :class:`LogDamaged` where hashes are missing.
        """
        parts = []
        while start < end:
            height = (end - start).bit_length() - 1
            parts.append(self._perfect(height, start >> height))
            start += 1 << height
        root = parts.pop()
        while parts:
            root = node_hash(parts.pop(), root)
        return root

    def frontier(self) -> Frontier:
        """The perfect subtrees along the right edge, to go on from. Raises :class:`LogDamaged` like ``subtree``."""
        return Frontier(self._size, [self._perfect(*place) for place in _right_edge(self._size)])

    def _perfect(self, height: int, index: int) -> bytes:
        """The root over the ``index``-th run of 2**height leaves: from one tile, of the highest level that has it."""
        known = self._edge.get((height, index))
        if known is not None:
            return known
        level, above = divmod(height, TILE_HEIGHT)
        first = index << above
        number, offset = divmod(first, TILE_WIDTH)
        hashes = self._tile(level, number)[offset : offset + (1 << above)]
        if len(hashes) != 1 << above:
            raise LogDamaged(f"tile {number} of level {level} lacks hashes")
        return perfect_root(hashes)

    def _tile(self, level: int, number: int) -> list[bytes]:
        known = self._tiles.get((level, number))
        if known is None:
            width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH)
            known = self._tiles[level, number] = tile(self._connection, level, number, width) or []
        return known


def _right_edge(size: int) -> list[tuple[int, int]]:
    """The perfect subtrees of a tree, largest first: height, and the number of such runs before it."""
    heights = [height for height in range(size.bit_length() - 1, -1, -1) if size >> height & 1]
    return [(height, (size >> height) - 1) for height in heights]


def tile_sizes(size: int) -> list[tuple[int, int, int]]:
    """Every level of a tree: its number, how many full tiles it has, how wide the partial one is (0: there is none)."""
    found, level = [], 0
    while size:
        found.append((level, size >> TILE_HEIGHT, size % TILE_WIDTH))
        size, level = size >> TILE_HEIGHT, level + 1
    return found


def tile_path(level: int | str, index: int, width: int = 0) -> str:
    """Where a tile is published, below the log's address; a ``width`` of 0 means a full one."""
    return f"tile/{level}/{index_path(index)}" + (f".p/{width}" if width else "")


def index_path(index: int) -> str:
    """An index in steps of three digits: 1234067 is ``x001/x234/067``."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def parse_tile_path(path: str) -> tuple[int | str, int, int] | None:
    """Level (or ``entries``), index and width of a path below ``tile/``; None unless it is spelled as it must be."""
    first, _, rest = path.partition("/")
    name, partial, width = rest.partition(".p/")
    level: Any = first if first == ENTRIES_LEVEL else _number(first, _HIGHEST_LEVEL)
    wide = _number(width, TILE_WIDTH - 1) if partial else TILE_WIDTH
    digits = name.replace("/", "").replace("x", "")
    if level is None or not wide or not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS:
        return None
    return (level, int(digits), wide) if index_path(int(digits)) == name else None


def _number(text: str, most: int) -> int | None:
    """A decimal number without leading zeroes, at most ``most``; None for any other text."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or str(int(text)) != text:
        return None
    return int(text) if int(text) <= most else None
