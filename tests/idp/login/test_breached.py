"""Passwords that nobody may choose: the importer, the file it makes, and what is looked up in it."""

from __future__ import annotations

import hashlib
import io
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.login.breached import (
    HEADER_SIZE,
    WIDTH,
    BreachedFile,
    BreachedFileProblem,
    KnownPasswords,
    built_in,
    entry_of,
    false_positive_rate,
)
from idp.login.breached_import import ListUnreadable, import_list

if TYPE_CHECKING:
    from pathlib import Path


def hashed(*passwords: str, count: int = 3) -> bytes:
    lines = sorted(f"{hashlib.sha1(one.encode()).hexdigest().upper()}:{count}" for one in passwords)
    return "\r\n".join(lines).encode()


def made(tmp_path: Path, content: bytes, **options: int) -> BreachedFile:
    target = tmp_path / "breached.bin"
    import_list(io.BytesIO(content), target, **options)
    return BreachedFile(target)


def test_what_was_imported_is_found_and_nothing_else(tmp_path: Path) -> None:
    """NIST SP 800-63B-4 §3.1.1.2: the whole password is compared with known ones, offline."""
    known = [f"known password {number}" for number in range(5000)]
    found = made(tmp_path, hashed(*known), batch=700)
    assert found.count == 5000
    assert all(found.holds(entry_of(one)) for one in known)
    assert not any(found.holds(entry_of(f"unknown {number}")) for number in range(5000))
    found.verify()


@pytest.mark.parametrize("order", ["as it comes", "backwards", "shuffled"])
def test_the_file_is_the_same_in_whatever_order_the_list_comes(tmp_path: Path, order: str) -> None:
    """Runs are merged and repeated lines kept once, so the result is one sorted list."""
    lines = [*hashed(*map(str, range(3000))).split(b"\r\n"), *hashed(*map(str, range(500))).split(b"\r\n")]
    straight = sorted({line[: 2 * WIDTH] for line in lines})
    if order == "backwards":
        lines.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(lines)
    found = made(tmp_path, b"\n".join(lines), batch=100)
    content = (tmp_path / "breached.bin").read_bytes()[HEADER_SIZE:]
    assert content.hex().upper().encode() == b"".join(straight)
    assert found.count == len(straight) == 3000


@given(st.sets(st.binary(min_size=8, max_size=8), min_size=1, max_size=60), st.binary(min_size=8, max_size=8))
@settings(max_examples=60)
def test_a_look_up_is_right_however_unevenly_entries_lie(
    tmp_path_factory: pytest.TempPathFactory, entries: set[bytes], other: bytes
) -> None:
    """The search begins where an even spread would put an entry; it must not end there."""
    folder = tmp_path_factory.mktemp("uneven")
    lines = b"\n".join(entry.hex().encode() + b"0" * 24 for entry in entries)
    found = made(folder, lines)
    assert all(found.holds(entry) for entry in entries)
    assert found.holds(other) is (other in entries)


def test_plain_lists_are_taken_in_any_case_and_script(tmp_path: Path) -> None:
    """One password a line; small and capital letters of it are refused alike, and composed letters are one."""
    content = (
        "Correct Horse Battery\nпароль пароль\ncafe\u0301 au lait pour tous\n\n".encode() + b"\xff\xfe\n"
    )
    made(tmp_path, content)
    known = KnownPasswords(tmp_path / "breached.bin")
    for typed in (
        "Correct Horse Battery",
        "correct horse battery",
        "CORRECT HORSE BATTERY",
        "пароль пароль",
        "café au lait pour tous",
    ):
        assert known.has(typed), typed
    assert not known.has("correct horse battery staple")


def test_hashes_seen_too_seldom_are_left_out(tmp_path: Path) -> None:
    """A small machine keeps the part of the list that thieves try first."""
    content = hashed("often", count=10) + b"\n" + hashed("seldom", count=9)
    told = import_list(io.BytesIO(content), tmp_path / "breached.bin", min_count=10)
    assert (told.kept, told.below_minimum, told.kind) == (1, 1, "hashes")
    found = BreachedFile(tmp_path / "breached.bin")
    assert found.holds(entry_of("often"))
    assert not found.holds(entry_of("seldom"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "empty"),
        (hashed("one") + b"\nsomething else\n", "Line 2"),
        (hashed("one") + b"\n" + hashed("two")[:30] + b"\n", "Line 2"),
        (hashed("one")[5:] + b"\n", "range files"),
        (b"one\ntwo\0three\n", "Line 2"),
        (b"x" * 3_000_000, "Line 1 is longer"),
    ],
)
def test_a_malformed_list_is_named_by_line_and_replaces_nothing(
    tmp_path: Path, content: bytes, named: str
) -> None:
    """Bad input gets a clear error, and the list in use stays as it was."""
    target = tmp_path / "breached.bin"
    made(tmp_path, hashed("former"))
    before = target.read_bytes()
    with pytest.raises(ListUnreadable, match=named) as refused:
        import_list(io.BytesIO(content), target)
    assert "something else" not in str(refused.value), "a line may be somebody's password"
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["breached.bin"], "no draft is left behind"


def test_counts_are_needed_to_leave_out_by_count(tmp_path: Path) -> None:
    """Otherwise everything would be kept, or nothing, without a word."""
    for content in (b"plain password\n", hashed("one")[:40] + b"\n"):
        with pytest.raises(ListUnreadable, match="--min-count needs counts"):
            import_list(io.BytesIO(content), tmp_path / "breached.bin", min_count=2)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content[:-3], "cut short"),
        (lambda content: content + b"x", "cut short, or longer"),
        (lambda content: b"PLAIN TEXT" * 20, "was not made by"),
        (lambda content: content[:20] + b"\x07" + content[21:], "is damaged"),
        (lambda content: b"", "was not made by"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_when_it_is_opened(
    tmp_path: Path, spoil: object, said: str
) -> None:
    """Header and size are checked at start, with the way out in the message."""
    made(tmp_path, hashed("one", "two"))
    path = tmp_path / "breached.bin"
    assert callable(spoil)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BreachedFileProblem, match=said) as refused:
        BreachedFile(path)
    assert "denizen passwords import" in str(refused.value)


def test_a_changed_entry_is_found_by_the_checksum(tmp_path: Path) -> None:
    """`denizen passwords check` reads it all."""
    made(tmp_path, hashed(*map(str, range(100))))
    path = tmp_path / "breached.bin"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BreachedFileProblem, match="checksum"):
        BreachedFile(path).verify()


def test_a_running_town_takes_the_new_file_and_keeps_the_former_one_if_it_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A list is replaced under a running service; nothing is ever looked up in half a file."""
    path = tmp_path / "breached.bin"
    made(tmp_path, hashed("first secret"))
    known = KnownPasswords(path)
    assert known.has("first secret")
    assert not known.has("second secret")
    made(tmp_path, hashed("second secret", "third secret"))
    assert known.has("second secret")
    assert not known.has("first secret")
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"rubbish")
    rubbish.replace(path)
    assert known.has("second secret")
    assert "the former one stays in use" in caplog.text
    path.unlink()
    assert known.has("second secret")


def test_a_file_that_is_cut_short_in_use_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody copies over the file in place: the service goes on with its own list, and the log says so."""
    path = tmp_path / "breached.bin"
    made(tmp_path, hashed("first secret"))
    known = KnownPasswords(path)
    path.write_bytes(b"")
    assert not known.has("first secret")
    assert known.has("password")
    assert "breached list out of use" in caplog.text


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    """A town that asks for a list must not run without one by mistake."""
    with pytest.raises(BreachedFileProblem, match="denizen passwords import FILE"):
        KnownPasswords(tmp_path / "absent.bin")


def test_our_own_list_works_out_of_the_box() -> None:
    """ASVS 5 §6.2.4: at least the 3000 most common passwords of allowed length, without any import."""
    assert len(built_in()) > 3000
    assert min(map(len, built_in())) >= 8
    assert not any("licence" in line or line.startswith("#") for line in built_in())
    known = KnownPasswords(None)
    for password in ("password", "Password", "qwertyuiop", "iloveyou", "1qaz2wsx3edc4rfv"):
        assert known.has(password), password
    assert not known.has("seven boats under a bridge")


def test_the_rate_of_false_alarms_is_told_as_it_is() -> None:
    """Eight bytes of a hash: a thousand million entries refuse one good password in 18 thousand million."""
    assert false_positive_rate(10**9) == pytest.approx(5.4e-11, rel=0.01)
