"""The tree: RFC 6962 and RFC 9162 §2.1, against the published vectors and against themselves."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.log import merkle

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc6962_trees.json").read_text())
LEAVES = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]
MANY = [merkle.leaf_hash(str(number).encode()) for number in range(200)]


def _hex(path: list[bytes]) -> list[str]:
    return [part.hex() for part in path]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_the_published_one(size: int) -> None:
    """RFC 6962 §2.1: the roots of the certificate-transparency reference."""
    assert merkle.root_hash(LEAVES[:size]) == ROOTS[size - 1]


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    """RFC 9162 §2.1.1."""
    assert merkle.root_hash([]).hex() == VECTORS["empty_root"]


@pytest.mark.parametrize("vector", VECTORS["inclusion"])
def test_an_inclusion_path_is_the_published_one(vector: dict) -> None:
    """RFC 9162 §2.1.3."""
    index, size = vector["index"], vector["size"]
    path = merkle.inclusion_path(merkle.subtrees_of(LEAVES), index, size)
    assert _hex(path) == vector["path"]
    assert merkle.verify_inclusion(LEAVES[index], index, size, path, ROOTS[size - 1])


@pytest.mark.parametrize("vector", VECTORS["consistency"])
def test_a_consistency_path_is_the_published_one(vector: dict) -> None:
    """RFC 9162 §2.1.4."""
    old, size = vector["old"], vector["size"]
    path = merkle.consistency_path(merkle.subtrees_of(LEAVES), old, size)
    assert _hex(path) == vector["path"]
    assert merkle.verify_consistency(old, size, path, ROOTS[old - 1], ROOTS[size - 1])


@given(st.integers(1, 200), st.data())
def test_every_leaf_proves_its_place_and_no_other(size: int, data: st.DataObject) -> None:
    """A proof holds for its leaf, index, size and root; any of them changed, or a hash too many, and it fails."""
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root_hash(MANY[:size])
    path = merkle.inclusion_path(merkle.subtrees_of(MANY), index, size)
    assert merkle.verify_inclusion(MANY[index], index, size, path, root)
    assert not merkle.verify_inclusion(MANY[index], index, size, [*path, root], root)
    assert not merkle.verify_inclusion(MANY[index - 1], index, size, path, root) or size == 1
    assert not merkle.verify_inclusion(MANY[index], index + 1, size, path, root)
    assert not merkle.verify_inclusion(MANY[index], index, size, path, merkle.EMPTY_ROOT)
    if path:
        assert not merkle.verify_inclusion(MANY[index], index, size, path[:-1], root)


@given(st.integers(1, 200), st.data())
def test_a_tree_proves_what_it_grew_from(size: int, data: st.DataObject) -> None:
    """A consistency proof holds between its two trees and between no others."""
    old = data.draw(st.integers(1, size))
    old_root, root = merkle.root_hash(MANY[:old]), merkle.root_hash(MANY[:size])
    path = merkle.consistency_path(merkle.subtrees_of(MANY), old, size)
    assert merkle.verify_consistency(old, size, path, old_root, root)
    assert not merkle.verify_consistency(old, size, path, merkle.EMPTY_ROOT, root)
    assert not merkle.verify_consistency(old, size, path, old_root, merkle.EMPTY_ROOT)
    assert not merkle.verify_consistency(old, size, [*path, root], old_root, root)
    if path:
        assert not merkle.verify_consistency(old, size, path[:-1], old_root, root)


@given(st.integers(0, 200), st.integers(0, 50))
def test_a_stored_frontier_grows_like_the_whole_tree(size: int, more: int) -> None:
    """The sequencer needs log2(size) hashes, not the leaves."""
    grown = merkle.Frontier()
    for leaf in MANY[:size]:
        grown.push(leaf)
    again = merkle.Frontier.from_bytes(size, grown.to_bytes())
    for leaf in MANY[:more]:
        again.push(leaf)
    assert again.root() == merkle.root_hash([*MANY[:size], *MANY[:more]])


@pytest.mark.parametrize(
    ("size", "stored"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (-1, b"")]
)
def test_a_frontier_of_another_size_is_refused(size: int, stored: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        merkle.Frontier.from_bytes(size, stored)


def test_proofs_outside_the_tree_are_refused() -> None:
    subtree = merkle.subtrees_of(LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion_path(subtree, index, size)
    for old, size in ((0, 8), (9, 8)):
        with pytest.raises(ValueError, match="contain"):
            merkle.consistency_path(subtree, old, size)
    assert not merkle.verify_consistency(0, 8, [], merkle.EMPTY_ROOT, ROOTS[7])
    assert not merkle.verify_consistency(6, 8, [], ROOTS[5], ROOTS[7])
