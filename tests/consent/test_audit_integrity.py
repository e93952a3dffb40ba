"""Case K38: whatever is done to the tables behind our back, verification names it (ASVS 16.4.2, 16.5.3)."""

import hashlib

import pytest
from sqlalchemy import text

from consent import log
from tests.consent.town import HOUR, NOW, SERVICE_KEY, Attacker, Town, key_of


def _named(findings: list[log.Finding]) -> list[tuple[str, str, str]]:
    return [(one.what, one.table, one.row) for one in findings]


def test_an_honest_history_verifies(lived_in: Town) -> None:
    """Nothing is found where nothing is wrong, with entries still waiting and with a checkpoint kept outside."""
    kept = log.latest_checkpoint(lived_in.connection)
    lived_in.release()
    seen = log.inspect(
        lived_in.connection,
        key_for=key_of,
        service_key=SERVICE_KEY,
        kept_checkpoint=kept,
        vkey=lived_in.signer.vkey,
    )
    assert seen.findings == ()
    assert (seen.leaves, seen.pending, seen.rows, seen.sealed) == (17, 1, 18, 0)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("consent_release", "claims", '["district","email"]'),
        ("consent_release", "resident_id", "r2"),
        ("consent_release", "at", NOW + 5 * HOUR + 1),
        ("consent_release", "kind", "userinfo"),
        ("consent_record", "event", "refused"),
        ("consent_record", "claims_chosen", "[]"),
        ("consent_record", "authentication", "{}"),
        ("consent_record", "control", "deny-button"),
        ("consent_lookup", "reason", "asked by the resident"),
        ("consent_notice", "why", "To sell your data."),
        ("consent_notice", "material", False),
    ],
)
def test_an_edited_row_is_named(
    lived_in: Town, attacker: Attacker, table: str, column: str, value: object
) -> None:
    """Edit: any column of any row."""
    row = 5 if table == "consent_release" else 1
    if column == "material":
        attacker.run("UPDATE consent_notice SET version = 2 WHERE id = 1")
    attacker.run(f"UPDATE {table} SET {column} = :value WHERE id = :row", value=value, row=row)
    assert _named(lived_in.verify())[0] == ("edited", table, str(row))


@pytest.mark.parametrize("column", ["required_claims", "basis", "ended_at"])
def test_an_edited_purpose_is_named(lived_in: Town, attacker: Attacker, column: str) -> None:
    """Edit: what a purpose asks for, on which basis, and when it ended."""
    value: object = {"required_claims": '["name"]', "basis": "contract", "ended_at": lived_in.now - 1}[column]
    attacker.run(f"UPDATE consent_purpose SET {column} = :value WHERE key = 'tax'", value=value)
    (finding,) = lived_in.verify()
    assert (finding.what, finding.table) == ("edited", "consent_purpose")


def test_a_row_given_to_nobody_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Edit: hiding behind a resident who never was is no way to look erased."""

    def key_for(resident_id: str) -> bytes:
        if resident_id == "nobody":
            raise LookupError
        return key_of(resident_id)

    attacker.run("UPDATE consent_release SET resident_id = 'nobody' WHERE id = 5")
    assert _named(lived_in.verify(key_for=key_for)) == [("edited", "consent_release", "5")]


@pytest.mark.parametrize(
    ("column", "value"), [("kind", "lookup"), ("hour", 0), ("commitment", bytes(32)), ("at", 1)]
)
def test_an_edited_entry_is_named(lived_in: Town, attacker: Attacker, column: str, value: object) -> None:
    """Edit: the log entry instead of the row."""
    attacker.run(f"UPDATE consent_log_entry SET {column} = :value WHERE id = 8", value=value)
    findings = lived_in.verify()
    assert {one.entry_id for one in findings} == {8}
    assert {one.what for one in findings} == {"edited"}


def test_an_entry_edited_with_its_leaf_is_caught_by_the_signed_root(
    lived_in: Town, attacker: Attacker
) -> None:
    """Edit: a new commitment and a fitting leaf hash still make another root."""
    entry = lived_in.connection.execute(text("SELECT * FROM consent_log_entry WHERE id = 8")).one()
    forged = log.leaf_hash(log.leaf_bytes(entry.kind, entry.hour, bytes(32)))
    attacker.run("UPDATE consent_log_entry SET commitment = :value WHERE id = 8", value=bytes(32))
    attacker.run("UPDATE consent_log_leaf SET leaf_hash = :value WHERE entry_id = 8", value=forged)
    findings = lived_in.verify()
    assert findings[0].entry_id == 8
    assert ("edited", "consent_log_leaf") in {(one.what, one.table) for one in findings}


def test_a_row_deleted_in_the_middle_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Delete middle: the row alone."""
    uid = lived_in.connection.execute(text("SELECT uid FROM consent_release WHERE id = 5")).scalar_one()
    attacker.run("DELETE FROM consent_release WHERE id = 5")
    assert _named(lived_in.verify()) == [("deleted", "consent_release", bytes(uid).hex())]


def test_a_row_deleted_with_its_entry_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Delete middle: the row and what the log says of it."""
    attacker.run("DELETE FROM consent_log_entry WHERE uid = (SELECT uid FROM consent_release WHERE id = 5)")
    attacker.run("DELETE FROM consent_release WHERE id = 5")
    assert _named(lived_in.verify()) == [("deleted", "consent_log_entry", "10")]


def test_a_row_deleted_with_entry_and_leaf_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Delete middle: every trace but the gap."""
    attacker.run("DELETE FROM consent_log_leaf WHERE entry_id = 10")
    attacker.run("DELETE FROM consent_log_entry WHERE uid = (SELECT uid FROM consent_release WHERE id = 5)")
    attacker.run("DELETE FROM consent_release WHERE id = 5")
    assert _named(lived_in.verify()) == [("deleted", "consent_log_leaf", "9")]


def test_a_deletion_with_the_gap_closed_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Delete middle: later leaves moved down, as if nothing had been there."""
    attacker.run("DELETE FROM consent_log_leaf WHERE entry_id = 10")
    attacker.run("DELETE FROM consent_log_entry WHERE uid = (SELECT uid FROM consent_release WHERE id = 5)")
    attacker.run("DELETE FROM consent_release WHERE id = 5")
    for index in range(10, 17):
        attacker.run("UPDATE consent_log_leaf SET leaf_index = leaf_index - 1 WHERE leaf_index = :i", i=index)
    assert _named(lived_in.verify())[0] == ("deleted", "consent_log_entry", "10")
    assert ("truncated", "consent_log_leaf", "16") in _named(lived_in.verify())


def _cut(attacker: Attacker, *, heads: bool) -> None:
    """Remove the last head's worth: three releases, the look-up, the ended purpose, everything above entry 12."""
    attacker.run("DELETE FROM consent_release WHERE id > 7")
    attacker.run("DELETE FROM consent_lookup")
    attacker.run("UPDATE consent_purpose SET ended_at = NULL, ended_uid = NULL WHERE key = 'tax'")
    attacker.run("DELETE FROM consent_log_leaf WHERE entry_id > 12")
    attacker.run("DELETE FROM consent_log_entry WHERE id > 12")
    if heads:
        attacker.run("DELETE FROM consent_log_checkpoint WHERE tree_size > 12")


def test_a_cut_off_end_is_seen_by_the_last_checkpoint(lived_in: Town, attacker: Attacker) -> None:
    """Delete last N: rows, entries and leaves, but not the head."""
    _cut(attacker, heads=False)
    assert _named(lived_in.verify()) == [("truncated", "consent_log_leaf", "12")]


def test_a_clean_cut_is_seen_by_a_kept_checkpoint(lived_in: Town, attacker: Attacker) -> None:
    """Delete last N: with the heads; only what was kept outside can tell, and it does."""
    kept = log.latest_checkpoint(lived_in.connection)
    _cut(attacker, heads=True)
    assert lived_in.verify() == []
    assert _named(lived_in.verify(kept)) == [("truncated", "consent_log_leaf", "12")]


def test_a_cut_that_was_grown_over_is_seen_by_a_kept_checkpoint(lived_in: Town, attacker: Attacker) -> None:
    """Delete last N: new entries in their place give another root at the kept size."""
    kept = log.latest_checkpoint(lived_in.connection)
    _cut(attacker, heads=True)
    for _ in range(8):
        lived_in.release()
    assert lived_in.integrate()
    assert lived_in.verify() == []
    (finding,) = lived_in.verify(kept)
    # PostgreSQL does not give an id twice, so there the hole is in plain sight.
    assert (finding.what, finding.row) in {("edited", "12"), ("deleted", "13")}


def test_removed_heads_leave_uncovered_leaves(lived_in: Town, attacker: Attacker) -> None:
    """Delete last N: the heads alone."""
    attacker.run("DELETE FROM consent_log_checkpoint WHERE tree_size > 12")
    assert _named(lived_in.verify()) == [("truncated", "consent_log_checkpoint", "17")]


@pytest.mark.parametrize(("one", "other"), [(2, 5), (8, 10), (2, 16)])
def test_swapped_leaves_are_named(lived_in: Town, attacker: Attacker, one: int, other: int) -> None:
    """Reorder: two leaves change places, under one head or across heads."""
    attacker.run("UPDATE consent_log_leaf SET leaf_index = 99 WHERE leaf_index = :one", one=one)
    attacker.run(
        "UPDATE consent_log_leaf SET leaf_index = :one WHERE leaf_index = :other", one=one, other=other
    )
    attacker.run("UPDATE consent_log_leaf SET leaf_index = :other WHERE leaf_index = 99", other=other)
    reordered = [finding for finding in lived_in.verify() if finding.what == "reordered"]
    assert [(finding.table, finding.row) for finding in reordered] == [("consent_log_leaf", str(one))]


def test_swapped_entries_are_named(lived_in: Town, attacker: Attacker) -> None:
    """Reorder: two entries exchange what they say."""
    rows = lived_in.connection.execute(
        text("SELECT id, uid FROM consent_log_entry WHERE id IN (8, 10)")
    ).all()
    uid_of = {row.id: row.uid for row in rows}
    attacker.run("UPDATE consent_log_entry SET uid = :uid WHERE id = 8", uid=bytes(16))
    attacker.run("UPDATE consent_log_entry SET uid = :uid WHERE id = 10", uid=uid_of[8])
    attacker.run("UPDATE consent_log_entry SET uid = :uid WHERE id = 8", uid=uid_of[10])
    assert {one.entry_id for one in lived_in.verify()} == {8, 10}


def _insert_release(attacker: Attacker, uid: bytes, at: int) -> None:
    attacker.run(
        "INSERT INTO consent_release (uid, resident_id, client_id, kind, claims, purpose_ids, authorization_id, at)"
        " VALUES (:uid, 'r1', 'reports', 'id_token', '[]', '[]', 'a9', :at)",
        uid=uid,
        at=at,
    )


def test_an_inserted_row_is_named(lived_in: Town, attacker: Attacker) -> None:
    """Insert back-dated: a row that no entry speaks of."""
    _insert_release(attacker, log.new_uid(NOW), NOW)
    assert _named(lived_in.verify()) == [("unlogged", "consent_release", "11")]


@pytest.mark.parametrize("integrated", [False, True])
def test_an_inserted_row_with_a_back_dated_entry_is_named(
    lived_in: Town, attacker: Attacker, *, integrated: bool
) -> None:
    """Insert back-dated: with an entry in the past; it can only join the end, where its hour betrays it."""
    uid, hour = log.new_uid(NOW), NOW - NOW % HOUR
    _insert_release(attacker, uid, NOW)
    attacker.run(
        "INSERT INTO consent_log_entry (uid, kind, hour, commitment, ref_table, at)"
        " VALUES (:uid, 'release', :hour, :commitment, 'consent_release', :at)",
        uid=uid,
        hour=hour,
        commitment=hashlib.sha256(b"guess").digest(),
        at=NOW,
    )
    if integrated:
        assert lived_in.integrate()
    assert _named(lived_in.verify()) == [
        ("back-dated", "consent_log_entry", "18"),
        ("edited", "consent_release", "11"),
    ]


def test_a_back_dated_insert_by_someone_with_the_keys_is_named(lived_in: Town) -> None:
    """Insert back-dated: even a commitment that opens does not hide the hour."""
    lived_in.release(now=NOW)
    assert lived_in.integrate()
    assert _named(lived_in.verify()) == [("back-dated", "consent_log_entry", "18")]


def test_a_head_signed_by_a_stranger_is_named(lived_in: Town, attacker: Attacker) -> None:
    """A rebuilt tree needs a signature that nobody but the town can make."""
    attacker.run(
        "UPDATE consent_log_checkpoint SET note = replace(note, 'riverton', 'overton') WHERE tree_size = 17"
    )
    assert _named(lived_in.verify()) == [("signature", "consent_log_checkpoint", "17")]


@pytest.mark.parametrize("column", ["root", "frontier"])
def test_an_edited_head_is_named_and_never_signed_over(
    lived_in: Town, attacker: Attacker, column: str
) -> None:
    """The sequencer refuses to build on a head that contradicts its signature."""
    attacker.run(
        f"UPDATE consent_log_checkpoint SET {column} = :value WHERE tree_size = 17",
        value=bytes(64)[: 64 if column == "frontier" else 32],
    )
    assert _named(lived_in.verify()) == [("edited", "consent_log_checkpoint", "17")]
    if column == "frontier":
        lived_in.release()
        with pytest.raises(log.LogDamaged):
            lived_in.integrate()


def test_a_leaf_that_never_came_is_named(lived_in: Town, attacker: Attacker) -> None:
    """An entry behind the settled ones without a leaf: somebody took it away, with the heads above it."""
    attacker.run("DELETE FROM consent_log_leaf WHERE leaf_index = 16")
    findings = _named(lived_in.verify())
    assert ("unlogged", "consent_log_entry", "17") in findings
    assert ("truncated", "consent_log_leaf", "16") in findings


def test_erased_residents_do_not_disturb_verification(lived_in: Town) -> None:
    """Erasure: with the key gone the rows can't be opened, and the tree stays valid."""
    seen = log.inspect(
        lived_in.connection,
        key_for=lambda resident_id: None if resident_id == "r1" else key_of(resident_id),
        service_key=SERVICE_KEY,
        kept_checkpoint=None,
        vkey=lived_in.signer.vkey,
    )
    assert (seen.findings, seen.sealed) == ((), 5)


def test_a_kept_note_of_another_log_is_refused(lived_in: Town) -> None:
    with pytest.raises(log.NoteError):
        lived_in.verify("not a note")


def test_leaves_hold_no_personal_data(lived_in: Town) -> None:
    """A leaf is schema version, kind, hour and commitment, and nothing else."""
    entry = lived_in.connection.execute(text("SELECT * FROM consent_log_entry WHERE id = 5")).one()
    assert log.leaf_bytes(entry.kind, entry.hour, entry.commitment) == (
        b'{"at_hour":%d,"commitment":"%s","kind":"consent_given","v":1}'
        % (NOW - NOW % HOUR, bytes(entry.commitment).hex().encode())
    )
