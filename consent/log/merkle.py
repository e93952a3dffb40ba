"""Merkle tree hashing and proofs of RFC 6962 and RFC 9162 §2.1, over SHA-256. Pure.

Hashes are 32 bytes. Proofs are built from a function that gives the hash of any range of leaves, so that
the same code serves a list in memory and the tiles in the database.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Self

HASH_LENGTH = 32
#: A tile holds 256 hashes: a subtree of height 8 (C2SP tlog-tiles).
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""``subtree(start, end)``: the root of the tree over leaves ``start`` to ``end - 1``."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one leaf (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The perfect subtrees along a tree's right edge: all that appending needs, log2(size) hashes.

    ``hashes`` run from the largest subtree to the smallest, one per bit set in ``size``.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Take up a tree of ``size`` leaves. Raises ValueError if ``hashes`` can't belong to that size."""
        if size < 0 or len(hashes) != size.bit_count() or any(len(h) != HASH_LENGTH for h in hashes):
            raise ValueError(f"{len(hashes)} hashes do not make the frontier of {size} leaves")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The subtrees' roots, from the largest to the smallest."""
        return tuple(self._hashes)

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size, node = self.size, leaf
        while size & 1:
            node = node_hash(self._hashes.pop(), node)
            size >>= 1
        self._hashes.append(node)
        self.size += 1

    def push_last_of_tile(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Append the leaf that makes ``size`` a multiple of 256: the roots of all full tiles that it completes.

        Each is the level it stands in (1 spans 256 leaves), its index there and its hash (C2SP tlog-tiles).
        """
        size, node, height = self.size, leaf, 0
        found = []
        while size & 1:
            node = node_hash(self._hashes.pop(), node)
            size, height = size >> 1, height + 1
            if height % TILE_HEIGHT == 0:
                found.append((height // TILE_HEIGHT, self.size >> height, node))
        self._hashes.append(node)
        self.size += 1
        return found

    def root(self) -> bytes:
        """The root of the tree as it stands; SHA-256 of nothing when empty (RFC 9162 §2.1.1)."""
        if not self._hashes:
            return EMPTY_ROOT
        node = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            node = node_hash(left, node)
        return node

    def to_bytes(self) -> bytes:
        """The hashes one after another, for storing."""
        return b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote. Raises ValueError if it can't belong to ``size``."""
        return cls(size, [stored[at : at + HASH_LENGTH] for at in range(0, len(stored), HASH_LENGTH)])


def root_hash(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over ``leaf_hashes`` in order."""
    frontier = Frontier()
    for leaf in leaf_hashes:
        frontier.push(leaf)
    return frontier.root()


def subtrees_of(leaf_hashes: Sequence[bytes]) -> Subtree:
    """The :data:`Subtree` function of leaves held in memory."""
    return lambda start, end: root_hash(leaf_hashes[start:end])


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``, for ``size`` >= 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """Proof that leaf ``index`` is in the tree of ``size`` leaves (RFC 9162 §2.1.3.1).

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_path(subtree: Subtree, old_size: int, size: int) -> list[bytes]:
    """Proof that the tree of ``size`` leaves begins with that of ``old_size`` (RFC 9162 §2.1.4.1).

    Raises ValueError unless 0 < old_size <= size.
    """
    if not 0 < old_size <= size:
        raise ValueError(f"no tree of {size} leaves can contain one of {old_size}")
    start, end, path = 0, size, []
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start:  # the old tree is no perfect left part of the new one: its last subtree must be named
        path.append(subtree(start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether ``path`` proves leaf hash ``leaf`` at ``index`` under ``expected_root`` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == expected_root


def verify_consistency(
    old_size: int, size: int, path: Sequence[bytes], old_root: bytes, expected_root: bytes
) -> bool:
    """Whether ``path`` proves that the tree under ``expected_root`` extends ``old_root`` (RFC 9162 §2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not path and old_root == expected_root
    proof = list(path)
    if old_size & (old_size - 1) == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_node == old_root and new_node == expected_root
