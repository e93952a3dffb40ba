"""The key file: made once, for one account, and refused in the operator's words when anything is wrong."""

from __future__ import annotations

import base64
import os
import stat
from typing import TYPE_CHECKING

import pytest

from keys.envelope import (
    KeyFileError,
    KeyFileExists,
    KeyFileMissing,
    KeyFileUnreadable,
    SealBroken,
    create_key_file,
    load_key_file,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "denizen.key"


def write(path: Path, content: str, mode: int = 0o600) -> None:
    path.write_text(content)
    path.chmod(mode)


def key_line(path: Path) -> str:
    return path.read_text().splitlines()[1]


def assert_for_the_operator(error: KeyFileError, path: Path) -> None:
    message = str(error)
    assert str(path) in message
    assert "\n" not in message
    assert any(f"{lead}: " in message for lead in ("run", "Run", "with")), message


def test_a_created_key_file_loads_as_the_same_key(path: Path) -> None:
    """What one process wraps after creating the file, a later one unwraps after loading it."""
    created = create_key_file(path)
    loaded = load_key_file(path)
    assert loaded.unwrap(created.wrap(b"secret", "test"), "test") == b"secret"
    assert loaded.key_id == created.key_id


def test_a_created_key_file_has_its_written_form(path: Path) -> None:
    """`denizen-key-v1 <key id> <base64url of 32 bytes>` under a comment that says to back it up."""
    kek = create_key_file(path)
    comment, line = path.read_text().splitlines()
    name, key_id, encoded = line.split(" ")
    assert comment.startswith("# ")
    assert "back it up" in comment.lower()
    assert (name, key_id) == ("denizen-key-v1", kek.key_id)
    assert len(base64.urlsafe_b64decode(encoded + "=")) == 32


def test_only_the_service_account_can_read_a_created_key_file(path: Path) -> None:
    """Mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        create_key_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_key_file_is_never_overwritten(path: Path) -> None:
    """Creating over a key file would make all data unreadable."""
    create_key_file(path)
    before = path.read_bytes()
    with pytest.raises(KeyFileExists) as refused:
        create_key_file(path)
    assert path.read_bytes() == before
    assert_for_the_operator(refused.value, path)


def test_a_key_file_is_not_created_through_a_dangling_link(path: Path, tmp_path: Path) -> None:
    """O_EXCL: whoever can plant a link must not choose where the key is written."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileExists):
        create_key_file(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_file_in_a_folder_that_is_missing_says_so(tmp_path: Path) -> None:
    """The operator learns which folder to look at."""
    path = tmp_path / "no such folder" / "denizen.key"
    with pytest.raises(KeyFileUnreadable, match="cannot be written") as refused:
        create_key_file(path)
    assert_for_the_operator(refused.value, path)


def test_a_missing_key_file_is_refused(path: Path) -> None:
    """The message says to restore it first, and how to make one only for a new installation."""
    with pytest.raises(KeyFileMissing, match="Restore it from its backup") as refused:
        load_key_file(path)
    assert_for_the_operator(refused.value, path)
    assert not path.exists()


def test_a_key_file_that_cannot_be_opened_is_refused(path: Path) -> None:
    """A folder in its place stands for every reading error."""
    path.mkdir()
    with pytest.raises(KeyFileUnreadable, match="cannot be read") as refused:
        load_key_file(path)
    assert_for_the_operator(refused.value, path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_file_open_to_other_accounts_is_refused(path: Path, mode: int) -> None:
    """The message names the command that mends it."""
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyFileUnreadable, match=f"mode 0{mode:o}.* Run: chmod 600") as refused:
        load_key_file(path)
    assert_for_the_operator(refused.value, path)


def test_a_damaged_key_file_is_refused(path: Path) -> None:
    """Every one-character slip in key or key id is noticed, because the key id is the key's fingerprint."""
    create_key_file(path)
    line = key_line(path)
    for place in range(len("denizen-key-v1 "), len(line) - 1):
        slip = "A" if line[place] != "A" else "B"
        write(path, f"{line[:place]}{slip}{line[place + 1 :]}\n")
        with pytest.raises(KeyFileUnreadable, match="is damaged") as refused:
            load_key_file(path)
        assert_for_the_operator(refused.value, path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# only a comment\n",
        "denizen-key-v1 0011223344556677\n",
        "denizen-key-v2 {key_id} {key}\n",
        "denizen-key-v1 {key_id} {key} more\n",
        "denizen-key-v1 {key_id} {key}\ndenizen-key-v1 {key_id} {key}\n",
        "denizen-key-v1 {key_id} {short}\n",
        "denizen-key-v1 {key_id} {key}{key}\n",
        "denizen-key-v1 {key_id} not*base64url\n",
        "denizen-key-v1 {key_id} schlüssel\n",
    ],
)
def test_a_malformed_key_file_is_refused(path: Path, content: str) -> None:
    """Wrong format, wrong length, no text: one clear line, never a stack trace."""
    create_key_file(path)
    _, key_id, key = key_line(path).split()
    write(path, content.format(key_id=key_id, key=key, short=key[:20]))
    with pytest.raises(KeyFileUnreadable, match="is damaged") as refused:
        load_key_file(path)
    assert_for_the_operator(refused.value, path)
    assert key not in str(refused.value)


def test_comments_and_blank_lines_in_a_key_file_do_no_harm(path: Path) -> None:
    """An operator may note in it where the backup is."""
    kek = create_key_file(path)
    write(path, f"\n# the backup is in the safe\n\n{key_line(path)}\n\n")
    assert load_key_file(path).key_id == kek.key_id


def test_a_key_wrapped_for_one_purpose_does_not_open_for_another(path: Path) -> None:
    """The purpose is authenticated with the wrapped key."""
    kek = create_key_file(path)
    with pytest.raises(SealBroken):
        kek.unwrap(kek.wrap(b"secret", "one"), "other")


def test_a_key_encryption_key_does_not_show_itself(path: Path) -> None:
    """Its printed form names the key id and nothing else."""
    kek = create_key_file(path)
    assert repr(kek) == f"<KeyEncryptionKey {kek.key_id}>"
    assert not hasattr(kek, "__dict__")
