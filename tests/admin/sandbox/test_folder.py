"""The demo's folder: what is its own, what is not, and what a second start reads."""

from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from admin.sandbox.demo import run_demo
from admin.sandbox.folder import Folder, FolderProblem, Town
from admin.sandbox.found import renew_town
from admin.sandbox.ports import Ports
from idp.schema import head_revision
from idp.settings import load

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A second start prints the same passwords; nobody else on the machine can read them."""
    folder = Folder(tmp_path / "new" / "demo")
    assert folder.read() is None
    town = Town(Ports(partners=9410), is_seeded=True, residents=({"username": "ليلى"},))
    folder.write(town)
    assert folder.read() == town
    assert stat.S_IMODE((folder.path / "riverton.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_somebody_elses_town_is_refused(tmp_path: Path) -> None:
    """`denizen demo --fresh --folder .` beside a real town must not remove it."""
    (tmp_path / "denizen.key").write_text("precious")
    with pytest.raises(FolderProblem, match="which the demo did not make"):
        run_demo(Folder(tmp_path), {}, is_fresh=True, announce=lambda _: None)
    assert (tmp_path / "denizen.key").read_text() == "precious"


def test_clearing_removes_only_what_the_demo_made(tmp_path: Path) -> None:
    """`--fresh` begins anew and leaves other files alone."""
    folder = Folder(tmp_path)
    folder.write(Town(Ports()))
    folder.write_settings(Ports(), smtp_port=2525)
    folder.key.write_text("key")
    (folder.mail / "0000000000001-00000000.eml").write_text("Subject: hello")
    (tmp_path / "notes.txt").write_text("mine")
    folder.clear()
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["notes.txt"]
    assert folder.read() is None


@pytest.mark.parametrize("content", ["", "{}", '{"ports": {"residents": "x", "more": 1}}', "\x00"])
def test_a_damaged_record_is_told_and_nothing_is_removed(tmp_path: Path, content: str) -> None:
    """The passwords in it may be wanted; guessing would lose them."""
    (tmp_path / "riverton.json").write_text(content)
    with pytest.raises(FolderProblem, match="cannot be read"):
        run_demo(Folder(tmp_path), {}, is_fresh=True, announce=lambda _: None)
    assert (tmp_path / "riverton.json").read_text() == content


def test_a_town_keeps_its_ports(tmp_path: Path) -> None:
    """Its partners are registered with their addresses: other ports would break every sign-in."""
    folder = Folder(tmp_path)
    folder.write(replace(Town(Ports()), is_seeded=True))
    with pytest.raises(FolderProblem, match=r"--port-staff 8401"):
        run_demo(folder, {"residents": 8400, "staff": 9401}, is_fresh=False, announce=lambda _: None)


def test_the_settings_are_valid_wherever_the_folder_is(tmp_path: Path) -> None:
    """Quotes, spaces and letters of any script in a path; throttles stay on."""
    folder = Folder(tmp_path / 'Maria\'s "demo" ليلى')
    folder.write(Town(Ports()))
    folder.write_settings(Ports(), smtp_port=2525)
    settings = load(folder.settings)
    assert settings.keys.file == folder.key
    assert settings.database.url == folder.database_url
    assert (settings.mail.port, settings.mail.security) == (2525, "none")
    assert settings.server.staff_bind == "127.0.0.1:8401"
    assert settings.testing.enabled is False


def test_the_revision_of_the_database_is_told(tmp_path: Path, sqlite_template: Path) -> None:
    """An older town is brought up to date; one of a newer program is told about."""
    folder = Folder(tmp_path)
    assert folder.revision() is None
    shutil.copyfile(sqlite_template, tmp_path / "denizen.sqlite")
    assert folder.revision() == head_revision()
    (tmp_path / "denizen.sqlite").write_bytes(b"no database at all, and long enough to be looked at" * 20)
    assert folder.revision() is None
    with pytest.raises(FolderProblem, match="--fresh"):
        renew_town(folder)
