"""The sequencer: every entry gets exactly one leaf, whoever runs it and however commits interleave."""

import threading

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from consent import log, models
from consent.log import sequencer
from tests.consent.town import NOW, ORIGIN, Town

ENTRY, LEAF = models.table(models.LogEntry), models.table(models.LogLeaf)
# SQLite has one writer at a time: ids, commits and heads have one order there.
ON_POSTGRESQL = pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)


def _order(connection: Connection) -> list[int]:
    """Entry ids in the order of the tree."""
    return list(connection.execute(select(LEAF.c.entry_id).order_by(LEAF.c.leaf_index)).scalars())


def _settled(connection: Connection) -> int:
    statement = text("SELECT settled_id FROM consent_log_checkpoint ORDER BY tree_size DESC LIMIT 1")
    return connection.execute(statement).scalar_one()


def test_entries_join_in_the_order_of_their_ids(town: Town) -> None:
    """Batch by batch the signed root is that of all leaves so far; nothing left gives no new head."""
    for _ in range(7):
        town.release()
    sizes = []
    while signed := town.integrate(limit=3):
        hashes = town.connection.execute(select(LEAF.c.leaf_hash).order_by(LEAF.c.leaf_index)).scalars()
        assert signed.root == log.root_hash(hashes)
        assert log.open_checkpoint(signed.note, town.signer.vkey) == signed
        assert log.latest_checkpoint(town.connection) == signed.note
        sizes.append(signed.size)
    assert sizes == [3, 6, 7]
    assert _order(town.connection) == list(range(1, 8))
    assert town.verify() == []


def test_an_empty_log_has_no_head(town: Town) -> None:
    assert town.integrate() is None
    assert log.latest_checkpoint(town.connection) is None
    assert town.verify() == []


def test_of_two_sequencers_one_loses_and_nothing_is_lost(engine: Engine, signer: log.NoteSigner) -> None:
    """Both at once: the loser fails cleanly, and every entry has one leaf at the end."""
    with engine.begin() as connection:
        for _ in range(20):
            Town(connection, signer).release()
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        try:
            with engine.begin() as connection:
                Town(connection, signer).integrate(limit=10)
            outcomes.append("won")
        except (log.IntegrationConflict, OperationalError):  # SQLite tells the loser that the file is locked
            outcomes.append("lost")

    for _ in range(4):
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "won" in outcomes
    with engine.begin() as connection:
        while Town(connection, signer).integrate(limit=10):
            pass
        assert _order(connection) == list(range(1, 21))
        assert Town(connection, signer).verify() == []


@ON_POSTGRESQL
def test_the_loser_of_a_race_is_told(engine: Engine, signer: log.NoteSigner) -> None:
    """A sequencer that read the same head as another meets a taken leaf index."""
    with engine.begin() as connection:
        Town(connection, signer).release()
    with engine.connect() as slow, slow.begin():
        slow.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        assert log.latest_checkpoint(slow) is None
        with engine.begin() as fast:
            assert Town(fast, signer).integrate()
        with pytest.raises(log.IntegrationConflict):
            Town(slow, signer).integrate()


@ON_POSTGRESQL
def test_an_entry_committed_late_still_gets_its_leaf(engine: Engine, signer: log.NoteSigner) -> None:
    """PostgreSQL hands out ids before commit: the smaller id may turn up after the larger was integrated."""
    with engine.connect() as late, engine.connect() as prompt:
        Town(late, signer).release()
        Town(prompt, signer).release()
        prompt.commit()
        assert Town(prompt, signer).integrate()
        prompt.commit()
        assert (_order(prompt), _settled(prompt)) == ([2], 0)
        late.commit()
        assert Town(prompt, signer).integrate()
        assert (_order(prompt), _settled(prompt)) == ([2, 1], 1)
        Town(prompt, signer).release()
        assert Town(prompt, signer).integrate()
        assert (_order(prompt), _settled(prompt)) == ([2, 1, 3], 3)
        assert Town(prompt, signer).verify() == []


def test_a_gap_that_never_fills_is_passed_in_time(town: Town) -> None:
    """A rolled-back id leaves a hole: the sequencer waits a while behind it, then goes on."""
    town.release()
    town.release()
    town.connection.execute(
        ENTRY.insert().values(
            id=9, uid=bytes(16), kind="x", hour=0, commitment=bytes(32), ref_table="t", at=NOW
        )
    )
    town.now += 10
    assert town.integrate()
    assert _settled(town.connection) == 2
    town.now += sequencer.SETTLE_FOR
    town.connection.execute(
        ENTRY.insert().values(
            id=10, uid=bytes([1] * 16), kind="x", hour=0, commitment=bytes(32), ref_table="t", at=town.now
        )
    )
    assert town.integrate()
    assert _settled(town.connection) == 10
    assert _order(town.connection) == [1, 2, 9, 10]


def test_a_sweep_finds_what_came_absurdly_late(town: Town) -> None:
    """An id behind the settled ones is out of sight for a usual run, and verification says so until a sweep."""
    town.release()
    town.connection.execute(
        ENTRY.insert().values(
            id=9, uid=bytes(16), kind="x", hour=NOW, commitment=bytes(32), ref_table="t", at=NOW
        )
    )
    town.now += 2 * sequencer.SETTLE_FOR
    assert town.integrate()
    town.connection.execute(
        ENTRY.insert().values(
            id=5, uid=bytes([1] * 16), kind="x", hour=NOW, commitment=bytes(32), ref_table="t", at=NOW
        )
    )
    assert town.integrate() is None
    assert [(one.what, one.row) for one in town.verify()] == [("unlogged", "5")]
    assert town.integrate(sweep=True)
    assert (_order(town.connection), _settled(town.connection)) == ([1, 9, 5], 9)
    assert town.verify() == []


def test_the_log_goes_on_under_a_new_key(town: Town, signer: log.NoteSigner) -> None:
    """Rotation: the old heads stay valid under the old verifier key, the new ones are signed by the new key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    town.release()
    town.integrate()
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    town.signer = log.NoteSigner(ORIGIN, public, key.sign)
    town.release()
    with pytest.raises(log.LogDamaged):
        town.integrate()
    assert town.integrate(earlier_vkeys=[signer.vkey])
    assert [one.what for one in town.verify()] == ["signature"]
    assert town.verify(earlier_vkeys=[signer.vkey]) == []


def test_the_head_of_another_log_is_not_continued(town: Town) -> None:
    town.release()
    town.integrate()
    town.release()
    with pytest.raises(log.LogDamaged):
        town.integrate(origin="overton.example/log")


def test_an_entry_of_no_kind_or_with_a_short_key_is_refused(town: Town) -> None:
    for kind, key in (
        ("", bytes(32)),
        ("With space", bytes(32)),
        ('x"', bytes(32)),
        ("x" * 41, bytes(32)),
        ("x", b""),
    ):
        with pytest.raises(ValueError, match=r"kind|key"):
            log.append(town.connection, kind=kind, subject_key=key, record={}, ref=("t", bytes(16)), now=NOW)
    assert town.connection.execute(select(func.count()).select_from(ENTRY)).scalar_one() == 0


def test_a_commitment_opens_only_with_its_own_key_row_and_place() -> None:
    """Key, uid, table and record each change it; without the key it can't be guessed from the record."""
    one = log.commitment(bytes(32), "t", bytes(16), {"a": 1})
    assert one == log.commitment(bytes(32), "t", bytes(16), {"a": 1})
    others = [
        log.commitment(b"k" * 32, "t", bytes(16), {"a": 1}),
        log.commitment(bytes(32), "u", bytes(16), {"a": 1}),
        log.commitment(bytes(32), "t", b"u" * 16, {"a": 1}),
        log.commitment(bytes(32), "t", bytes(16), {"a": 2}),
    ]
    assert len({one, *others}) == 5
