"""Tiles: the tree as C2SP tlog-tiles publishes it, read from what the sequencer has written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from consent import log, models
from consent.log import merkle, tiles

if TYPE_CHECKING:
    from tests.consent.town import Attacker, Town

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tlog.json").read_text(encoding="utf-8"))
LEAF, NODE = models.table(models.LogLeaf), models.table(models.LogNode)
MANY = 1100


@pytest.fixture
def grown(town: Town) -> Town:
    """A town with four full tiles and a bit, integrated in uneven batches."""
    town.fill(MANY)
    while town.integrate(limit=97):
        pass
    return town


def hashes(town: Town) -> list[bytes]:
    return list(town.connection.execute(select(LEAF.c.leaf_hash).order_by(LEAF.c.leaf_index)).scalars())


@pytest.mark.parametrize(("index", "path"), VECTORS["paths"].items())
def test_an_index_is_spelled_as_the_specification_does(index: str, path: str) -> None:
    assert tiles.index_path(int(index)) == path
    assert tiles.parse_tile_path(f"0/{path}") == (0, int(index), 256)
    assert tiles.parse_tile_path(f"entries/{path}.p/7") == ("entries", int(index), 7)


@pytest.mark.parametrize("vector", VECTORS["sizes"], ids=lambda vector: str(vector["size"]))
def test_a_size_has_the_tiles_that_the_specification_counts(vector: dict[str, object]) -> None:
    found = [[full, partial] for _, full, partial in tiles.tile_sizes(int(str(vector["size"])))]
    assert found == vector["levels"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/001",
        "0/001/002",
        "0/x001",
        "00/000",
        "64/000",
        "-1/000",
        "+0/000",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000/.p/1",
        "0/000.p/1/2",
        "0/../000",
        "0/٠٠٠",
        "data/000",
        "0/" + "x001/" * 40 + "000",
    ],
)
def test_another_spelling_names_no_tile(path: str) -> None:
    """tlog-tiles, "Merkle Tree": one spelling for each tile, so that caches hold it once."""
    assert tiles.parse_tile_path(path) is None


def test_every_tile_holds_the_hashes_of_the_tree(grown: Town) -> None:
    """MTH(D[(n*256+i)*256**l : (n*256+i+1)*256**l]) for each hash of each tile."""
    leaves = hashes(grown)
    for level, full, partial in tiles.tile_sizes(MANY):
        span = 256**level
        for index in range(full + bool(partial)):
            width = partial if index == full else 256
            found = tiles.tile(grown.connection, level, index, width)
            first = index * 256
            assert found == [
                merkle.root_hash(leaves[at * span : (at + 1) * span]) for at in range(first, first + width)
            ]
    assert grown.connection.execute(
        select(NODE.c.node_index).order_by(NODE.c.node_index)
    ).scalars().all() == [
        0,
        1,
        2,
        3,
    ]


def test_what_the_tree_has_not_reached_is_no_tile(grown: Town) -> None:
    """tlog-tiles, "Partial Tiles": empty tiles and wider ones than there are hashes are not served."""
    assert tiles.tile(grown.connection, 0, 4) is None
    assert tiles.tile(grown.connection, 0, 4, MANY - 1024 + 1) is None
    assert tiles.tile(grown.connection, 0, 4, MANY - 1024) is not None
    assert tiles.tile(grown.connection, 0, 5, 1) is None
    assert tiles.tile(grown.connection, 2, 0, 1) is None
    assert tiles.bundle(grown.connection, 4) is None


def test_a_bundle_holds_the_entries_that_hash_to_its_tile(grown: Town) -> None:
    """tlog-tiles, "Log entries"."""
    for index, width in ((0, 256), (4, 76), (4, 3)):
        content = tiles.bundle(grown.connection, index, width)
        assert content is not None
        entries = tiles.unbundled(content)
        assert tiles.bundled(entries) == content
        assert [log.leaf_hash(entry) for entry in entries] == tiles.tile(grown.connection, 0, index, width)


@pytest.mark.parametrize("content", [b"\x00", b"\x00\x02a", b"\x00\x01a\xff"])
def test_a_bundle_that_ends_too_early_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="ends within"):
        tiles.unbundled(content)


def test_any_part_of_the_tree_is_read_from_tiles(grown: Town) -> None:
    """The reader agrees with the list in memory on every path of every size that matters."""
    leaves = hashes(grown)
    in_memory = merkle.subtrees_of(leaves)
    for size in (1, 2, 255, 256, 257, 511, 512, 1023, 1024, 1025, MANY):
        reader = tiles.TileReader(grown.connection, size)
        small = merkle.subtrees_of(leaves[:size])
        for index in {0, 1, 255, 256, 700, 1023, 1024, size - 1}:
            if index < size:
                path = merkle.inclusion_path(reader.subtree, index, size)
                assert path == merkle.inclusion_path(small, index, size)
        for old in {1, 2, 100, 256, 257, 1000, 1024, size}:
            if old <= size:
                path = merkle.consistency_path(reader.subtree, old, size)
                assert path == merkle.consistency_path(in_memory, old, size)


def test_the_upgrade_fills_what_older_towns_lack(grown: Town, attacker_of_grown: Attacker) -> None:
    """Migration 0016 computes the very rows that the sequencer would have written."""
    import importlib

    revision = importlib.import_module("idp.migrations.versions.0016_log_published")
    wanted = grown.connection.execute(select(NODE).order_by(NODE.c.level, NODE.c.node_index)).all()
    attacker_of_grown.run("DELETE FROM consent_log_node")
    revision._fill(grown.connection)
    found = grown.connection.execute(select(NODE).order_by(NODE.c.level, NODE.c.node_index)).all()
    assert found == wanted


@pytest.fixture
def attacker_of_grown(grown: Town) -> Attacker:
    from tests.consent.town import Attacker

    return Attacker(grown.connection)


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("UPDATE consent_log_node SET node_hash = :bad WHERE node_index = 1", ("edited", "1/1")),
        ("DELETE FROM consent_log_node WHERE node_index = 2", ("deleted", "1/2")),
        ("DELETE FROM consent_log_node WHERE node_index = 3", ("deleted", "1/3")),
        (
            "INSERT INTO consent_log_node (level, node_index, node_hash) VALUES (1, 4, :bad)",
            ("edited", "1/4"),
        ),
        (
            "INSERT INTO consent_log_node (level, node_index, node_hash) VALUES (2, 0, :bad)",
            ("edited", "2/0"),
        ),
    ],
)
def test_a_tile_that_was_tampered_with_is_named(
    grown: Town, attacker_of_grown: Attacker, attack: str, named: tuple[str, str]
) -> None:
    """The hashes above the leaves are recomputed like everything else."""
    values = {"bad": hashlib.sha256(b"bad").digest()} if ":bad" in attack else {}
    attacker_of_grown.run(attack, **values)
    found = [one for one in grown.verify(sources=()) if one.table == "consent_log_node"]
    assert [(one.what, one.row) for one in found] == [named]


def test_the_database_keeps_tiles_and_cosignatures_as_they_are(grown: Town) -> None:
    """Append-only by trigger, like the leaves below them."""
    for statement in (
        "UPDATE consent_log_node SET node_index = 9 WHERE node_index = 1",
        "DELETE FROM consent_log_node",
    ):
        with pytest.raises(Exception, match="append-only"), grown.connection.begin_nested():
            grown.connection.execute(text(statement))
