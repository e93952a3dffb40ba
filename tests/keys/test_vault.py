"""The vault: one service key per database, data keys that seal, derived keys that stay apart."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from keys.envelope import (
    DataKey,
    KeyEncryptionKey,
    KeyFileForeign,
    SealBroken,
    SealedBytes,
    Vault,
    create_key_file,
    open_vault,
)
from keys.rotation import RotationSchedule, tick
from tests.keys.conftest import NOW, Interrupted

if TYPE_CHECKING:
    from pathlib import Path

HERE = "resident.attribute family_name r1"
SECRET = bytes(range(32))


def service_keys(engine: Engine) -> int:
    with engine.connect() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM keys_service_key")).scalar_one()
        return count


# --- opening ---


def test_a_second_start_opens_the_same_service_key(engine: Engine, kek: KeyEncryptionKey) -> None:
    """What was sealed before a restart opens after it; the row names the key file and the time."""
    with engine.begin() as connection:
        first = open_vault(connection, kek, now=NOW)
        _, wrapped = first.new_data_key()
        sealed = first.open_data_key(wrapped).seal("Ada", HERE)
    with Session(engine) as session:
        second = open_vault(session, kek, now=NOW + 5)
        row = session.execute(text("SELECT name, key_id, created_at FROM keys_service_key")).one()
    assert second.open_data_key(wrapped).open(sealed, HERE) == "Ada"
    assert tuple(row) == ("master", kek.key_id, NOW)


def test_the_service_key_is_not_stored_in_the_clear(connection: Connection, kek: KeyEncryptionKey) -> None:
    """A copy of the database without the key file opens nothing."""
    vault = open_vault(connection, kek, now=NOW)
    wrapped = connection.execute(text("SELECT wrapped FROM keys_service_key")).scalar_one()
    assert vault._master not in wrapped


def test_another_key_file_is_refused(engine: Engine, vault: Vault, tmp_path: Path) -> None:
    """The service refuses to start on a foreign key file, and names both keys."""
    foreign = create_key_file(tmp_path / "foreign.key")
    with engine.begin() as connection, pytest.raises(KeyFileForeign) as refused:
        open_vault(connection, foreign, now=NOW)
    message = str(refused.value)
    assert foreign.source in message
    assert foreign.key_id in message
    assert "run: denizen keys list" in message
    assert "\n" not in message
    assert service_keys(engine) == 1


def test_a_damaged_service_key_is_refused(engine: Engine, vault: Vault, kek: KeyEncryptionKey) -> None:
    """It is not replaced by a new one."""
    with engine.begin() as connection:
        wrapped = bytearray(connection.execute(text("SELECT wrapped FROM keys_service_key")).scalar_one())
        wrapped[-1] ^= 1
        connection.execute(
            text("UPDATE keys_service_key SET wrapped = :wrapped"), {"wrapped": bytes(wrapped)}
        )
        with pytest.raises(KeyFileForeign):
            open_vault(connection, kek, now=NOW)


def test_signing_keys_without_a_service_key_are_refused(
    engine: Engine, vault: Vault, kek: KeyEncryptionKey
) -> None:
    """A half-restored database is not healed by making new keys over existing data."""
    with engine.begin() as connection:
        tick(connection, vault, RotationSchedule(), uses=["log"], now=NOW)
        connection.execute(text("DELETE FROM keys_service_key"))
    with engine.begin() as connection, pytest.raises(KeyFileForeign, match="lost its service key"):
        open_vault(connection, kek, now=NOW)
    assert service_keys(engine) == 0


@pytest.mark.parametrize("uses", [[], ["log"]])
def test_two_processes_starting_at_once_open_one_service_key(
    engine: Engine, kek: KeyEncryptionKey, uses: list[str]
) -> None:
    """The second one to insert takes over the first one's key, even if that one has made signing keys already."""
    opened: list[Vault] = []

    def other_process() -> None:
        with engine.begin() as connection:
            opened.append(open_vault(connection, kek, now=NOW))
            tick(connection, opened[0], RotationSchedule(), uses=uses, now=NOW)

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = open_vault(Interrupted(connection, other_process), kek, now=NOW)
    assert len(opened) == 1
    assert service_keys(engine) == 1
    assert mine.subkey("csrf") == opened[0].subkey("csrf")


def test_many_threads_starting_at_once_open_one_service_key(engine: Engine, kek: KeyEncryptionKey) -> None:
    """As above, with real transactions waiting for each other."""
    opened: list[bytes] = []
    start = threading.Barrier(4)

    def open_one() -> None:
        start.wait()
        with engine.begin() as connection:
            opened.append(open_vault(connection, kek, now=NOW).subkey("csrf"))

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    assert len(set(opened)) == 1
    assert service_keys(engine) == 1


# --- sealing ---


@given(plain=st.text(), context=st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_again(plain: str, context: str) -> None:
    """Any text in any place, and the sealed form does not hold it."""
    try:
        plain.encode()
    except UnicodeEncodeError:
        return
    key = DataKey(SECRET)
    sealed = key.seal(plain, context)
    assert isinstance(sealed, SealedBytes)
    assert sealed[0] == 1
    assert len(sealed) == 29 + len(plain.encode())
    assert key.open(sealed, context) == plain


def test_the_same_text_is_never_sealed_alike() -> None:
    """A fresh nonce each time: equal values cannot be told from equal bytes."""
    key = DataKey(SECRET)
    assert len({key.seal("Ada", HERE) for _ in range(100)}) == 100


def test_a_value_moved_to_another_place_does_not_open() -> None:
    """The context (table, column, row) is authenticated, so rows cannot be swapped."""
    key = DataKey(SECRET)
    with pytest.raises(SealBroken):
        key.open(key.seal("Ada", HERE), "resident.attribute family_name r2")


def test_a_value_sealed_with_another_key_does_not_open(vault: Vault) -> None:
    """One resident's key opens nothing of another's."""
    ada, _ = vault.new_data_key()
    bob, _ = vault.new_data_key()
    with pytest.raises(SealBroken):
        bob.open(ada.seal("Ada", HERE), HERE)


def test_a_changed_byte_anywhere_is_noticed() -> None:
    """Version, nonce, ciphertext and tag are all covered."""
    key = DataKey(SECRET)
    sealed = key.seal("Ada", HERE)
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(SealBroken):
            key.open(bytes(changed), HERE)


def test_a_shortened_value_is_noticed() -> None:
    """At every length, down to nothing."""
    key = DataKey(SECRET)
    sealed = key.seal("Ada", HERE)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.open(sealed[:length], HERE)


# --- data keys and derived keys ---


def test_a_data_key_opens_only_in_its_own_vault(vault: Vault) -> None:
    """A wrapped key stolen from another installation is worthless here, and it is not stored in the clear."""
    key, wrapped = vault.new_data_key()
    assert key._secret not in wrapped
    with pytest.raises(SealBroken):
        Vault(SECRET).open_data_key(wrapped)
    with pytest.raises(SealBroken):
        vault.open_data_key(wrapped[:-1] + bytes([wrapped[-1] ^ 1]))


def test_data_keys_differ(vault: Vault) -> None:
    """Each resident has one of their own."""
    assert len({vault.new_data_key()[0]._secret for _ in range(50)}) == 50


def test_a_sealed_text_is_not_taken_for_a_wrapped_key() -> None:
    """What one kind of key makes, another kind does not open, though both derive from one service key."""
    vault = Vault(SECRET)
    with pytest.raises(SealBroken):
        vault.open_data_key(vault.service_data_key("outbox").seal("x" * 32, "data key"))


def test_derived_keys_are_stable_and_differ_by_name() -> None:
    """A restart derives the same keys; no two purposes share one, nor with the service key itself."""
    one, two = Vault(SECRET), Vault(SECRET)
    names = ["password-pepper", "csrf", "pairwise-sub", "blind-index", "outbox", "log"]
    keys = [one.subkey(name) for name in names]
    assert keys == [two.subkey(name) for name in reversed(names)][::-1]
    assert {len(key) for key in keys} == {32}
    assert len({*keys, SECRET, *(one.service_data_key(name)._secret for name in names)}) == 13


def test_a_service_data_key_opens_what_it_sealed_before() -> None:
    """The outbox survives a restart."""
    sealed = Vault(SECRET).service_data_key("outbox").seal("a letter", "outbox 1")
    assert Vault(SECRET).service_data_key("outbox").open(sealed, "outbox 1") == "a letter"
    with pytest.raises(SealBroken):
        Vault(SECRET).service_data_key("staff").open(sealed, "outbox 1")


def test_a_log_key_belongs_to_its_data_key(vault: Vault) -> None:
    """The same after a restart, different for each resident, and not the data key itself."""
    key, wrapped = vault.new_data_key()
    assert vault.open_data_key(wrapped).log_key() == key.log_key()
    assert len(key.log_key()) == 32
    assert len({key.log_key(), key._secret, vault.new_data_key()[0].log_key()}) == 3


def test_a_blind_index_finds_equal_values_of_one_field() -> None:
    """Equal for equal values after a restart, 32 bytes; different for another field, value or vault."""
    one = Vault(SECRET).blind_index("email", "ada@example.org")
    assert one == Vault(SECRET).blind_index("email", "ada@example.org")
    assert len(one) == 32
    others = {
        Vault(SECRET).blind_index("username", "ada@example.org"),
        Vault(SECRET).blind_index("email", "bob@example.org"),
        Vault(bytes(32)).blind_index("email", "ada@example.org"),
    }
    assert len({one, *others}) == 4


def test_field_and_value_of_a_blind_index_do_not_run_together() -> None:
    """Field "a" with value "bc" is not field "ab" with value "c"."""
    assert Vault(SECRET).blind_index("a", "bc") != Vault(SECRET).blind_index("ab", "c")


@pytest.mark.parametrize("shown", [DataKey(SECRET), Vault(SECRET), KeyEncryptionKey(SECRET, source="test")])
def test_keys_do_not_show_themselves(shown: object) -> None:
    """Nothing of a key reaches a log or a stack trace through its printed form."""
    if isinstance(shown, Vault):
        shown.subkey("csrf")
        shown.service_data_key("outbox")
    for printed in (repr(shown), str(shown), f"{shown}"):
        assert repr(SECRET)[2:10] not in printed
        assert SECRET.hex()[:8] not in printed
        assert len(printed) < 45


def test_a_short_key_encryption_key_is_refused() -> None:
    """AES would take 16 bytes; we do not."""
    with pytest.raises(ValueError, match="32 bytes"):
        KeyEncryptionKey(bytes(16), source="test")
