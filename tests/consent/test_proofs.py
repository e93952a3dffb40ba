"""tlog-proof: what a resident, a court or a newspaper can check without us."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text

from consent import log, models
from consent.log import proofs
from tests.consent.town import ORIGIN, Attacker

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tests.consent.town import Town

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tlog.json").read_text(encoding="utf-8"))


def uid_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def witness(town: Town, size: int, name: str) -> None:
    town.connection.execute(
        insert(models.table(models.LogCosignature)).values(
            tree_size=size, name=name, line=f"— {name} jWbPPw==", at=town.now
        )
    )


def leaf_of(connection: Connection, uid: bytes) -> bytes:
    row = connection.execute(
        text("SELECT kind, hour, commitment FROM consent_log_entry WHERE uid = :uid"), {"uid": uid}
    ).one()
    return log.leaf_bytes(row.kind, row.hour, bytes(row.commitment))


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 700])
def test_every_entry_has_a_proof_that_holds(town: Town, size: int) -> None:
    """For each place in trees around the edges of tiles."""
    town.fill(size)
    while town.integrate():
        pass
    for number in {0, 1, 2, 127, 128, 254, 255, 256, 511, 512, size - 1} & set(range(size)):
        found = proofs.proof_for(town.connection, uid_of(number))
        assert found is not None
        proof = proofs.parse(found)
        assert proof.text() == found
        assert proof.index == number
        checkpoint = proof.verify(leaf_of(town.connection, uid_of(number)), town.signer.vkey)
        assert (checkpoint.origin, checkpoint.size) == (ORIGIN, size)


def test_an_entry_without_a_place_has_no_proof_yet(town: Town) -> None:
    """Neither before the first checkpoint, nor after it for what came later, nor for what never was."""
    town.fill(2)
    assert proofs.proof_for(town.connection, uid_of(0)) is None
    assert town.integrate()
    town.fill(1, start=2)
    assert proofs.proof_for(town.connection, uid_of(2)) is None
    assert proofs.proof_for(town.connection, uid_of(77)) is None
    assert proofs.proof_for(town.connection, uid_of(1)) is not None


def test_a_proof_of_one_entry_proves_no_other(town: Town) -> None:
    town.fill(9)
    assert town.integrate()
    proof = proofs.parse(proofs.proof_for(town.connection, uid_of(4)) or "")
    with pytest.raises(ValueError, match="does not lead"):
        proof.verify(leaf_of(town.connection, uid_of(5)), town.signer.vkey)


def test_a_proof_under_a_strangers_key_is_refused(town: Town) -> None:
    """A town next door signed it, or nobody did."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stranger = Ed25519PrivateKey.generate()
    public = stranger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    town.fill(3)
    assert town.integrate()
    proof = proofs.parse(proofs.proof_for(town.connection, uid_of(1)) or "")
    with pytest.raises(log.NoteError):
        proof.verify(leaf_of(town.connection, uid_of(1)), log.NoteSigner(ORIGIN, public, stranger.sign).vkey)


@pytest.mark.parametrize("line", range(1, 6))
def test_a_proof_changed_in_any_line_is_refused(town: Town, line: int) -> None:
    """Index and every hash; the note below guards itself."""
    town.fill(9)
    assert town.integrate()
    uid = uid_of(4)
    lines = (proofs.proof_for(town.connection, uid) or "").split("\n")
    lines[line] = "index 5" if line == 1 else base64.b64encode(bytes(32)).decode()
    with pytest.raises(ValueError, match="does not lead"):
        proofs.parse("\n".join(lines)).verify(leaf_of(town.connection, uid), town.signer.vkey)


def test_cosignatures_stand_in_the_proof(town: Town) -> None:
    """tlog-proof: the checkpoint with what witnesses said of it, and of it alone."""
    town.fill(3)
    assert town.integrate()
    witness(town, 3, "witness.example")
    witness(town, 2, "other.example")
    found = proofs.proof_for(town.connection, uid_of(1)) or ""
    assert found.endswith("— witness.example jWbPPw==\n")
    assert "other.example" not in found
    proofs.parse(found).verify(leaf_of(town.connection, uid_of(1)), town.signer.vkey)


def test_a_proof_leads_to_a_checkpoint_that_witnesses_have_seen(town: Town) -> None:
    """The newest that enough have cosigned, where it covers the entry; else the newest of all."""
    town.fill(6)
    for _ in range(3):
        assert town.integrate(limit=2)

    def size_for(number: int, quorum: int = 1) -> int:
        found = proofs.parse(proofs.proof_for(town.connection, uid_of(number), quorum=quorum) or "")
        return found.verify(leaf_of(town.connection, uid_of(number)), town.signer.vkey).size

    assert [size_for(0), size_for(5)] == [6, 6]
    witness(town, 2, "witness.example")
    witness(town, 2, "other.example")
    witness(town, 4, "witness.example")
    assert [size_for(0), size_for(3), size_for(4)] == [4, 4, 6]
    assert [size_for(0, 2), size_for(3, 2)] == [2, 6]
    published = log.published_checkpoint(town.connection, quorum=2)
    assert published is not None
    assert log.open_checkpoint(published, town.signer.vkey).size == 2
    assert published.count("— ") == 3
    late = log.published_checkpoint(town.connection, quorum=2, since=town.now + 1)
    assert late == log.latest_checkpoint(town.connection)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE consent_log_leaf SET leaf_hash = :bad WHERE leaf_index = 11",
        "UPDATE consent_log_node SET node_hash = :bad",
        "UPDATE consent_log_checkpoint SET frontier = :bad",
    ],
)
def test_a_damaged_tree_gives_no_proof(town: Town, damage: str) -> None:
    """Rather none than one that does not hold."""
    town.fill(600)
    assert town.integrate()
    assert proofs.proof_for(town.connection, uid_of(10))
    Attacker(town.connection).run(damage, bad=bytes(32))
    with pytest.raises(log.LogDamaged):
        proofs.proof_for(town.connection, uid_of(10))


def test_a_damaged_right_edge_gives_no_proof(town: Town) -> None:
    """It is taken from the checkpoint, and believed because the path leads to the signed root."""
    town.fill(600)
    assert town.integrate()
    frontier = b"\x07" * 32 * (600).bit_count()
    Attacker(town.connection).run("UPDATE consent_log_checkpoint SET frontier = :bad", bad=frontier)
    with pytest.raises(log.LogDamaged, match="no path leads"):
        proofs.proof_for(town.connection, uid_of(10))


def test_the_proof_of_the_specification_is_read_as_it_means(town: Town) -> None:
    """The example of tlog-proof; its signatures are abridged there, so ours takes their place."""
    signed = town.signer.sign("\n".join(VECTORS["proof_lines"][8:]) + "\n")
    plain = "\n".join([*VECTORS["proof_lines"][:7], "", signed])
    found = proofs.parse(plain)
    assert (found.index, len(found.path), found.extra) == (73894, 5, b"")
    with_extra = plain.replace("index", "extra aGVsbG8=\nindex", 1)
    assert proofs.parse(with_extra).extra == b"hello"
    assert proofs.parse(with_extra).text() == with_extra


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n\nnote",
        "c2sp.org/tlog-proof@v2\nindex 0\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex -1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\nextra aGVsbG8=\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\n!\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra !\nindex 1\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + "A" * 43 + "=\r\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + ("A" * 43 + "=\n") * 64 + "\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\n\n" + "n" * 600_000,
    ],
)
def test_what_is_no_proof_is_refused(spoiled: str) -> None:
    with pytest.raises(ValueError, match=r"proof|base64"):
        proofs.parse(spoiled)


def test_a_proof_reads_a_few_tiles_however_large_the_tree(town: Town) -> None:
    """The example of tlog-tiles: 70,000 leaves. At most two tiles a level, and so a handful of statements."""
    if town.connection.dialect.name == "postgresql":
        pytest.skip("the same statements; one engine will do for so many leaves")
    town.fill(70_000)
    while town.integrate(limit=10_000):
        pass
    statements: list[str] = []

    class Counting:
        def execute(self, statement: object, parameters: object = None) -> object:
            statements.append(str(statement))
            return town.connection.execute(statement, parameters)  # type: ignore[call-overload]

    for number in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        statements.clear()
        started = time.perf_counter()
        found = proofs.proof_for(Counting(), uid_of(number)) or ""
        assert time.perf_counter() - started < 1
        assert len(statements) <= 4 + 2 * 3
        leaf = leaf_of(town.connection, uid_of(number))
        assert proofs.parse(found).verify(leaf, town.signer.vkey).size == 70_000


def test_consistency_is_proven_between_any_two_sizes(town: Town) -> None:
    """What a witness is sent (RFC 9162 §2.1.4)."""
    roots = {}
    town.fill(700)
    while signed := town.integrate(limit=150):
        roots[signed.size] = signed.root
    for old, old_root in roots.items():
        for new, root in roots.items():
            if old <= new:
                path = proofs.consistency_for(town.connection, old, new)
                assert log.verify_consistency(old, new, path, old_root, root)
    assert proofs.consistency_for(town.connection, 0, 700) == []
    with pytest.raises(ValueError, match="no tree"):
        proofs.consistency_for(town.connection, 701, 700)
