"""The operator's commands: what they do, and one clear line for every mistake."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from admin.cli import main
from idp.db import Database
from idp.schema import downgrade_database, head_revision
from keys.envelope import create_key_file
from tests.house.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to begin a town in; logging is left as it was."""
    for name in os.environ:  # noqa: TID251 - only names, to remove them
        if name.startswith("DENIZEN_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """`denizen --config denizen.toml …` in that folder."""

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(folder / "denizen.toml"), *arguments])

    return invoke


@pytest.fixture
def town(folder: Path, run: Run) -> Path:
    """A folder in which a town has been begun."""
    assert run("init").exit_code == 0
    assert run("migrate").exit_code == 0
    return folder


def assert_refused(result: Result, *words: str) -> None:
    """One line that says what to do; no traceback."""
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def test_a_town_begins_with_two_commands(folder: Path, run: Run) -> None:
    """Settings and key file first, then the database with its first keys; each says what comes next."""
    assert "denizen migrate" in run("init", "--town", "Elsewhere").output
    assert (folder / "denizen.key").stat().st_mode & 0o777 == 0o600
    assert run("config", "check").output.endswith("is fine: Elsewhere, http://localhost:8400.\n")
    result = run("migrate")
    assert f"revision {head_revision()}" in result.output
    assert "\nreceipts  ES256    current   " in run("keys", "list").output
    listed = json.loads(run("keys", "list", "--json").output)
    assert {(key["use"], key["alg"]) for key in listed} == {
        ("tokens", "RS256"),
        ("tokens", "ES256"),
        ("log", "Ed25519"),
        ("receipts", "ES256"),
    }
    assert run("migrate").exit_code == 0  # safe to repeat
    assert json.loads(run("keys", "list", "--json").output) == listed


def test_a_second_init_changes_nothing(town: Path, run: Run) -> None:
    """Neither settings nor key are ever overwritten."""
    before = {path.name: path.read_bytes() for path in town.glob("denizen.[tk]*")}
    assert_refused(run("init"), "denizen.key")
    assert {path.name: path.read_bytes() for path in town.glob("denizen.[tk]*")} == before


def test_init_refuses_to_make_a_key_beside_a_database_whose_key_is_missing(town: Path, run: Run) -> None:
    """F20: a new key would hide that the old one is lost, with everything it protects."""
    (town / "denizen.key").unlink()
    assert_refused(run("init"), "another key file", "backup")
    assert not (town / "denizen.key").exists()


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",)], ids=" ".join)
def test_a_missing_key_file_is_refused(town: Path, run: Run, command: tuple[str, ...]) -> None:
    """F20: one line, with the way out."""
    (town / "denizen.key").unlink()
    assert_refused(run(*command), "There is no key file at", "backup")


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",)], ids=" ".join)
def test_a_foreign_key_file_is_refused(town: Path, run: Run, command: tuple[str, ...]) -> None:
    """F20: never healed by making new keys."""
    (town / "denizen.key").unlink()
    create_key_file(town / "denizen.key")
    assert_refused(run(*command), "does not open this database")


def test_a_key_file_that_others_can_read_or_that_is_broken_is_refused(town: Path, run: Run) -> None:
    """F20: unreadable is as good as missing."""
    key = town / "denizen.key"
    key.chmod(0o644)
    assert_refused(run("keys", "list"), "chmod 600")
    key.chmod(0o600)
    key.write_text("half a ke")
    assert_refused(run("keys", "list"), "denizen.key")


def test_an_empty_or_outdated_schema_is_refused(town: Path, run: Run) -> None:
    """The next command stands in the line."""
    downgrade_database(f"sqlite:///{town}/denizen.sqlite", "base")
    assert_refused(run("keys", "list"), "The database is empty", "denizen migrate")
    (town / "denizen.sqlite").unlink()
    assert_refused(run("keys", "list"), "The database is empty", "denizen migrate")
    assert run("migrate").exit_code == 0
    with sqlite3.connect(town / "denizen.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    assert_refused(run("keys", "list"), "at revision 9999", head_revision())


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",)], ids=" ".join)
def test_a_database_that_cannot_be_used_is_one_line(town: Path, run: Run, command: tuple[str, ...]) -> None:
    """No such folder, no database, nobody listening: the cause, without a stack trace."""
    settings = (town / "denizen.toml").read_text()
    (town / "notes.txt").write_text("this is no database, but long enough to be looked at" * 50)
    for url in (
        f"sqlite:///{town}/none/denizen.sqlite",
        f"sqlite:///{town}/notes.txt",
        "postgresql://nobody@127.0.0.1:1/none",
    ):
        text = settings.replace(f"sqlite:///{town}/denizen.sqlite", url)
        assert text != settings
        (town / "denizen.toml").write_text(text)
        assert_refused(run(*command), "The database cannot be used")


def test_mistakes_in_the_settings_are_listed_and_the_code_is_2(folder: Path, run: Run) -> None:
    """`denizen config check` and every other command alike."""
    for command in (("config", "check"), ("migrate",), ("keys", "list"), ("serve",)):
        result = run(*command)
        assert result.exit_code == 2
        assert "no such file. Make one with: denizen init" in result.stderr
    (folder / "denizen.toml").write_text('[server]\nissuer = "x"\n')
    result = run("config", "check")
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "[server] issuer",
        "[server] staff_url",
        "[town]",
    ]


def states(run: Run) -> dict[str, tuple[str, str]]:
    """Algorithm and state of each token key, by its id."""
    listed = json.loads(run("keys", "list", "--json").output)
    return {key["kid"]: (key["alg"], key["state"]) for key in listed if key["use"] == "tokens"}


def test_rotating_lets_the_next_key_sign_and_keeps_the_former_published(town: Path, run: Run) -> None:
    """Nothing that was signed before fails; a next key that nobody knows yet needs --force."""
    before = states(run)
    next_one = next(kid for kid, (alg, state) in before.items() if (alg, state) == ("ES256", "next"))
    current = next(kid for kid, (alg, state) in before.items() if (alg, state) == ("ES256", "current"))
    assert_refused(run("keys", "rotate", "--alg", "ES256"))
    assert states(run) == before
    result = run("keys", "rotate", "--alg", "ES256", "--force")
    assert result.exit_code == 0
    assert next_one in result.output
    after = states(run)
    assert (after[next_one], after[current]) == (("ES256", "current"), ("ES256", "previous"))
    assert [state for alg, state in after.values() if alg == "ES256"].count("next") == 1
    assert {kid: one for kid, one in after.items() if one[0] == "RS256"} == {
        kid: one for kid, one in before.items() if one[0] == "RS256"
    }


def test_retiring_takes_a_key_out_but_never_the_one_that_signs(town: Path, run: Run) -> None:
    """Emergency: what a stolen key signed is no longer believed."""
    current = next(kid for kid, one in states(run).items() if one == ("ES256", "current"))
    assert_refused(run("keys", "retire", current))
    assert_refused(run("keys", "retire", "nothing"), "nothing")
    run("keys", "rotate", "--alg", "ES256", "--force")
    assert run("keys", "retire", current).exit_code == 0
    assert states(run)[current] == ("ES256", "retired")


def test_an_unknown_algorithm_is_refused(town: Path, run: Run) -> None:
    """A slip of the pen rotates nothing."""
    before = states(run)
    result = run("keys", "rotate", "--alg", "HS256", "--force")
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert states(run) == before


def test_every_change_of_keys_is_in_the_log(town: Path, run: Run) -> None:
    """Who verifies the log sees which keys there were."""
    run("keys", "rotate", "--force")
    database = Database(f"sqlite:///{town}/denizen.sqlite")
    from sqlalchemy import text

    with database.reading() as session:
        kinds = {row.kind for row in session.execute(text("SELECT kind FROM consent_log_entry"))}
    database.close()
    assert {"key_created", "key_rotated"} <= kinds


@pytest.mark.parametrize("broken", ["key missing", "key foreign", "schema empty", "database gone"])
def test_serving_ends_with_one_line_when_it_cannot_work(town: Path, broken: str) -> None:
    """F20: the real command, in a process of its own: it neither listens nor tries for ever."""
    if broken.startswith("key"):
        (town / "denizen.key").unlink()
    if broken == "key foreign":
        create_key_file(town / "denizen.key")
    if broken == "schema empty":
        (town / "denizen.sqlite").unlink()
    if broken == "database gone":
        text = (town / "denizen.toml").read_text()
        (town / "denizen.toml").write_text(text.replace("/denizen.sqlite", "/none/denizen.sqlite"))
    found = serve(town)
    assert found.returncode == 1, found.stderr
    assert "Traceback" not in found.stderr
    said = [line for line in found.stderr.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, found.stderr
    words = {"key": "key", "schema": "denizen migrate", "database": "database"}
    assert words[broken.partition(" ")[0]] in said[0]


def serve(town: Path) -> Any:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from admin.cli import main; main()",
            "--config",
            town / "denizen.toml",
            "serve",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_port_that_somebody_listens_at_is_not_served(
    town: Path, run: Run, monkeypatch: pytest.MonkeyPatch, is_shared: bool
) -> None:
    """Another Denizen would share it: each answers some of the requests, and both write to one SQLite file."""
    with socket.socket() as other:
        if is_shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setenv("DENIZEN_SERVER__BIND", f"127.0.0.1:{taken}")
        assert_refused(run("serve"), f"port {taken} of 127.0.0.1 cannot be used", "Address already in use")


def test_an_address_of_another_machine_is_not_served(
    town: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and no traceback."""
    monkeypatch.setenv("DENIZEN_SERVER__BIND", "192.0.2.1:8400")
    assert_refused(run("serve"), "port 8400 of 192.0.2.1 cannot be used")
