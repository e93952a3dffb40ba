"""Recompute the tree from its entries and hold it against every signed checkpoint, in batches."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from consent.executor import Executor
from consent.log.batches import batches
from consent.log.entries import HOUR, leaf_bytes
from consent.log.findings import Finding, LogDamaged, What
from consent.log.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, leaf_hash
from consent.log.notes import Checkpoint, NoteError, open_checkpoint
from consent.log.tiles import TileReader
from consent.models import LogCheckpoint, LogEntry, LogLeaf, LogNode, table

BATCH: Final = 5000
_LEVELS: Final = 8  # 256**8 leaves: no tree is higher
_ENTRY, _LEAF, _CHECKPOINT = table(LogEntry), table(LogLeaf), table(LogCheckpoint)
_NODE = table(LogNode)
_LEAVES = (
    select(
        _LEAF.c.leaf_index,
        _LEAF.c.entry_id,
        _LEAF.c.leaf_hash,
        _ENTRY.c.kind,
        _ENTRY.c.hour,
        _ENTRY.c.commitment,
    )
    .join_from(_LEAF, _ENTRY, _ENTRY.c.id == _LEAF.c.entry_id, isouter=True)
    .where(_LEAF.c.leaf_index > bindparam("after"))
    .order_by(_LEAF.c.leaf_index)
    .limit(bindparam("limit"))
)
_CHECKPOINTS = (
    select(_CHECKPOINT)
    .where(_CHECKPOINT.c.tree_size > bindparam("after"))
    .order_by(_CHECKPOINT.c.tree_size)
    .limit(bindparam("limit"))
)
_PENDING = (
    select(_ENTRY.c.id, _ENTRY.c.hour)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_LEAF.c.entry_id.is_(None), _ENTRY.c.id > bindparam("after"))
    .order_by(_ENTRY.c.id)
    .limit(bindparam("limit"))
)
_NODES = (
    select(_NODE.c.node_index, _NODE.c.node_hash)
    .where(_NODE.c.level == bindparam("level"), _NODE.c.node_index > bindparam("after"))
    .order_by(_NODE.c.node_index)
    .limit(bindparam("limit"))
)
_LEAF_AT = (
    select(_LEAF.c.entry_id, _ENTRY.c.hour)
    .join_from(_LEAF, _ENTRY, _ENTRY.c.id == _LEAF.c.entry_id)
    .where(_LEAF.c.leaf_index == bindparam("index"))
)
_SETTLED = select(func.max(_CHECKPOINT.c.settled_id)).where(_CHECKPOINT.c.tree_size <= bindparam("size"))
_SUFFIX_ROWS = (
    select(
        _LEAF.c.leaf_index,
        _LEAF.c.entry_id,
        func.min(_LEAF.c.entry_id).over(order_by=_LEAF.c.leaf_index.desc()).label("smallest_since"),
    )
    .where(_LEAF.c.leaf_index >= bindparam("start"))
    .subquery()
)
_MISPLACED = select(func.min(_SUFFIX_ROWS.c.leaf_index)).where(
    _SUFFIX_ROWS.c.entry_id > _SUFFIX_ROWS.c.smallest_since, _SUFFIX_ROWS.c.leaf_index < bindparam("end")
)


class TreeCheck:
    """Walks leaves and checkpoints together; ``findings`` fill as it goes, ``leaves``, ``pending`` count.

    With ``since`` the walk begins behind the kept checkpoint: what lies before is taken from the tiles, and believed
    because its root is the one that was kept.
    """

    def __init__(
        self, connection: Executor, vkeys: Sequence[str], kept: Checkpoint | None, *, since: bool = False
    ) -> None:
        self._connection, self._vkeys, self._kept = connection, vkeys, kept
        self._frontier = Frontier()
        self._sound = True  # until the leaves stop being a tree whose roots can be compared
        self._last_hour = self._settled_id = self._start = 0
        self._covered = 0
        self._last_id: int | None = None
        self._gap: int | None = None
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._since = kept.size if since and kept else 0
        self._pending_after = 0
        self.findings: list[Finding] = []
        self.leaves = self.pending = 0

    def run(self) -> None:
        """Check leaves and heads, then the tiles above, then what should have become a leaf."""
        if self._since and not self._begin(self._since):
            return
        heads = self._rows(_CHECKPOINTS, "tree_size", self._since)
        head = next(heads, None)
        for page in self._batches(_LEAVES, "leaf_index", self.leaves - 1):
            for leaf, hashed in zip(page, _hashes_of(page), strict=True):
                self._check_leaf(leaf, hashed)
                if head is not None and head.tree_size <= self.leaves:
                    self._check_head(head)
                    head = next(heads, None)
                if self._kept is not None and self._kept.size == self.leaves:
                    self._compare(self._kept.root, self.leaves)
        self._check_end(head, heads)
        for level in range(1, _LEVELS + 1):
            self._check_nodes(level)
        for entry in self._rows(_PENDING, "id", self._pending_after):
            self._check_pending(entry)

    def _begin(self, size: int) -> bool:
        """Take up the tree behind the kept checkpoint; False when what lies before is not what was kept."""
        assert self._kept is not None
        last = self._connection.execute(_LEAF_AT, {"index": size - 1}).first()
        try:
            self._frontier = TileReader(self._connection, size).frontier()
        except LogDamaged as damage:
            self._found("truncated", _LEAF, size - 1, f"the kept checkpoint has {size} leaves; {damage}")
            return False
        if last is None or self._frontier.root() != self._kept.root:
            self._found("edited", _LEAF, 0, f"the root over leaves 0 to {size - 1} is not the kept one")
            return False
        self.leaves = self._start = self._covered = size
        self._last_hour, self._last_id = last.hour, None
        self._pending_after = self._connection.execute(_SETTLED, {"size": size}).scalar() or 0
        return True

    def _batches(self, statement: Select[Any], key: str, after: int, **more: int) -> Iterator[Sequence[Any]]:
        return batches(self._connection, statement, key, after, limit=BATCH, **more)

    def _rows(self, statement: Select[Any], key: str, after: int) -> Iterator[Any]:
        return chain.from_iterable(self._batches(statement, key, after))

    def _found(self, what: What, core: Any, row: int | str, detail: str, entry_id: int | None = None) -> None:
        self.findings.append(Finding(what, core.name, str(row), detail, entry_id))

    def _check_leaf(self, leaf: Any, hashed: bytes | None) -> None:
        index, entry_id, stored, _, hour, _ = leaf
        if index != self.leaves:
            self._found("deleted", _LEAF, self.leaves, f"the next leaf is {index}")
            self._sound = False
        self.leaves = index + 1
        # Remember the first id that is missing, to name the culprit should the root be wrong.
        if self._gap is None and self._last_id is not None and entry_id > self._last_id + 1:
            self._gap = self._last_id + 1
        self._last_id = entry_id
        if hashed is None:
            self._found("deleted", _ENTRY, entry_id, "its leaf is still there", entry_id)
        elif hashed != stored:
            self._found("edited", _ENTRY, entry_id, "it differs from its leaf", entry_id)
        elif hour != self._last_hour:
            self._check_hour(entry_id, hour)
        if self._sound:
            self._push(stored)

    def _push(self, stored: bytes) -> None:
        if (self._frontier.size + 1) % TILE_WIDTH:
            self._frontier.push(stored)
            return
        for level, index, node in self._frontier.push_last_of_tile(stored):
            self._nodes[level, index] = node

    def _check_nodes(self, level: int) -> None:
        """The stored hashes of one level against those that the leaves have just given."""
        if not self._sound:
            return  # the leaves are wrong already: no tile can be right
        expected = self._since >> TILE_HEIGHT * level
        for page in self._batches(_NODES, "node_index", expected - 1, level=level):
            for index, stored in page:
                self._expect_nodes(level, expected, index)
                if self._nodes.get((level, index)) != stored:
                    self._found(
                        "edited", _NODE, f"{level}/{index}", "it is not the root of the tile below it"
                    )
                expected = index + 1
        self._expect_nodes(level, expected, self.leaves >> TILE_HEIGHT * level)

    def _expect_nodes(self, level: int, first: int, end: int) -> None:
        for index in range(first, min(end, self.leaves >> TILE_HEIGHT * level)):
            self._found("deleted", _NODE, f"{level}/{index}", "the tile below it is full")

    def _check_hour(self, entry_id: int, hour: int) -> None:
        # Entries come in order of time but for clocks that differ a little: one hour back is borderline, two
        # is none that the sequencer could have met.
        if hour < self._last_hour - HOUR:
            self._found(
                "back-dated", _ENTRY, entry_id, f"it claims the hour {hour} after later ones", entry_id
            )
        self._last_hour = max(self._last_hour, hour)

    def _check_head(self, row: Any) -> None:
        self._settled_id = max(self._settled_id, row.settled_id)
        self._covered = row.tree_size
        try:
            signed = open_checkpoint(row.note, *self._vkeys)
        except NoteError as error:
            self._found("signature", _CHECKPOINT, row.tree_size, str(error))
            return
        if (signed.size, signed.root) != (row.tree_size, row.root):
            self._found("edited", _CHECKPOINT, row.tree_size, "it differs from what was signed")
        elif self._compare(signed.root, signed.size) and row.frontier != self._frontier.to_bytes():
            self._found("edited", _CHECKPOINT, row.tree_size, "its frontier is not that of the tree")

    def _compare(self, root: bytes, size: int) -> bool:
        """Whether the leaves so far make ``root``; if not, say why and stop comparing."""
        if self._sound and self._frontier.size == size:
            if self._frontier.root() == root:
                self._start, self._gap = size, None
                return True
            self._explain(size)
            self._sound = False
        return False

    def _explain(self, size: int) -> None:
        """Name what made the root of leaves ``_start`` to ``size`` wrong."""
        between = f"the root over leaves {self._start} to {size - 1} is not the signed one"
        span = {"start": self._start, "end": size}
        misplaced = self._connection.execute(_MISPLACED, span).scalar()
        if misplaced is not None:
            self._found("reordered", _LEAF, misplaced, between)
        elif self._gap is not None:
            self._found("deleted", _ENTRY, self._gap, between, self._gap)
        else:
            self._found("edited", _LEAF, self._start, between)

    def _check_end(self, head: Any, heads: Iterator[Any]) -> None:
        """Heads that speak of more leaves than there are, and leaves that no head speaks of."""
        if self._kept is not None and self._kept.size > self.leaves:
            detail = f"the kept checkpoint has {self._kept.size} leaves"
            self._found("truncated", _LEAF, self.leaves, detail)
        elif head is not None:
            self._found("truncated", _LEAF, self.leaves, f"a checkpoint has {head.tree_size} leaves")
        elif self._covered < self.leaves:
            self._found("truncated", _CHECKPOINT, self.leaves, "no checkpoint covers the last leaves")
        for later in () if head is None else (head, *heads):
            self._check_head(later)

    def _check_pending(self, entry: Any) -> None:
        self.pending += 1
        if entry.id <= self._settled_id:
            self._found("unlogged", _ENTRY, entry.id, "it never got a leaf", entry.id)
        self._check_hour(entry.id, entry.hour)


def _hashes_of(page: Sequence[Any]) -> list[bytes | None]:
    """What the entries of a page hash to; None for one that is gone."""
    return [
        None if kind is None else leaf_hash(leaf_bytes(kind, hour, committed))
        for _, _, _, kind, hour, committed in page
    ]
