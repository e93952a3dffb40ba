"""`denizen passwords`: a list of any length becomes the file that the town looks up."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from admin.cli import main
from idp.cli import TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def command(tmp_path: Path) -> Any:
    """Runs `denizen` with settings that name a list; it needs neither key file nor database."""
    config = tmp_path / "denizen.toml"
    text = TEMPLATE.format(
        issuer="http://localhost:8400",
        staff_url="http://localhost:8401",
        town="Riverton",
        contact="help@riverton.example",
        folder=tmp_path,
    )
    config.write_text(f'{text}\n[passwords]\nbreached_file = "{tmp_path}/breached.bin"\n')

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "passwords", *words])

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A list as it is downloaded."""
    lines = sorted(
        f"{hashlib.sha1(str(number).encode()).hexdigest().upper()}:{number}" for number in range(1, 101)
    )
    path = tmp_path / "pwned.txt"
    path.write_text("\r\n".join(lines))
    return path


def test_a_list_is_imported_and_found_whole(command: Any, source: Path, tmp_path: Path) -> None:
    """What was kept, what was left out, and how often it errs is told, to people and to scripts."""
    told = json.loads(command("import", str(source), "--min-count", "11", "--json").stdout)
    assert (told["kind"], told["lines"], told["entries"], told["below_min_count"]) == ("hashes", 100, 90, 10)
    assert told["bytes"] == (tmp_path / "breached.bin").stat().st_size == 64 + 90 * 8
    assert told["false_positive_rate"] < 1e-16
    assert json.loads(command("check", "--json").stdout) == {
        "file": str(tmp_path / "breached.bin"),
        "entries": 90,
        "ok": True,
    }
    again = command("import", str(source))
    assert "100 lines read" in again.stdout
    assert "holds 100 entries" in again.stdout


def test_it_can_be_written_anywhere(command: Any, source: Path, tmp_path: Path) -> None:
    """One machine prepares the list for many."""
    assert command("import", str(source), "--to", str(tmp_path / "elsewhere.bin")).exit_code == 0
    assert not (tmp_path / "breached.bin").exists()


def test_a_malformed_list_changes_nothing_and_is_told_in_one_line(
    command: Any, source: Path, tmp_path: Path
) -> None:
    """Exit 1, the line, and no trace of what stands in it."""
    command("import", str(source))
    before = (tmp_path / "breached.bin").read_bytes()
    source.write_text(source.read_text() + "\nsecret of somebody\n")
    result = command("import", str(source))
    assert result.exit_code == 1
    assert "Line 101" in result.stderr
    assert "Nothing was changed" in result.stderr
    assert "secret of somebody" not in result.stderr
    assert (tmp_path / "breached.bin").read_bytes() == before


def test_a_folder_that_is_not_there_is_told(command: Any, source: Path, tmp_path: Path) -> None:
    """No traceback for what an operator can mend."""
    result = command("import", str(source), "--to", str(tmp_path / "absent" / "list.bin"))
    assert result.exit_code == 1
    assert "No such file" in result.stderr


def test_a_damaged_list_is_found(command: Any, source: Path, tmp_path: Path) -> None:
    """`check` reads it all and says what to do."""
    command("import", str(source))
    path = tmp_path / "breached.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = command("check")
    assert result.exit_code == 1
    assert "Make it anew with: denizen passwords import FILE" in result.stderr


def test_without_a_setting_it_says_where_to_name_the_file(source: Path, tmp_path: Path) -> None:
    """The way out is in the message."""
    config = tmp_path / "plain.toml"
    config.write_text(
        '[server]\nissuer = "http://localhost:8400"\nstaff_url = "http://localhost:8401"\n'
        '[town]\nname = "Riverton"\ncontact_email = "help@riverton.example"\n'
    )
    result = CliRunner().invoke(main, ["--config", str(config), "passwords", "import", str(source)])
    assert result.exit_code == 2
    assert "[passwords] breached_file is empty" in result.stderr
    assert "--to" in result.stderr
    result = CliRunner().invoke(main, ["--config", str(config), "passwords", "check"])
    assert result.exit_code == 2
    assert "[passwords] breached_file is empty" in result.stderr
    assert "--to" not in result.stderr
