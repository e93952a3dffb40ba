"""`denizen log export`, `verify` and `prove`: what an operator hands out, and what an auditor does with it."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Integer, column, text

from consent.log import proofs
from consent.log.entries import INSERT_ENTRY
from idp import cli_log
from idp.cli_log import snapshot
from idp.statements import prepared
from idp.upkeep import integrate_log
from tests.consent.town import filler
from tests.support.commands import commands_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.town import Town

    Command = Callable[..., tuple[int, str]]

OTHER_KEY = "riverton.example/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


@pytest.fixture
def command(town: Town, tmp_path: Path) -> Command:
    """`denizen …` on a town where something has happened."""
    town.tokens(town.library, town.maria)
    integrate_log(town.context, now=int(town.clock()))
    folder = town.context.settings.keys.file.parent
    return commands_on(str(town.context.database.engine.url.render_as_string(hide_password=False)), folder)


@pytest.fixture
def exported(command: Command, tmp_path: Path) -> Path:
    """An export with everything in it."""
    folder = tmp_path / "export"
    code, said = command("log", "export", str(folder), "--with-records")
    assert code == 0, said
    return folder


def run(town: Town, statement: str, **values: Any) -> None:
    """Change the database as its owner could, past the triggers."""
    with town.context.database.transaction() as session:
        if town.context.database.is_sqlite:
            names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
            for name in [one for one in names if one.startswith("consent_")]:
                session.execute(text(f"DROP TRIGGER {name}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        result: Any = session.execute(text(statement), values)
        assert result.rowcount != 0, "the attack touched nothing"


def grow(town: Town, count: int) -> None:
    with town.context.database.transaction() as session:
        session.execute(INSERT_ENTRY, filler(0, count, int(town.clock())))
    integrate_log(town.context, now=int(town.clock()))


def verify(command: Command, folder: Path, *more: str) -> tuple[int, list[tuple[str, str]]]:
    code, said = command(
        "log", "verify", "--export", str(folder), "--vkey", str(folder / "vkey"), "--json", *more
    )
    return code, [(one["what"], one["row"]) for one in json.loads(said)["findings"]]


def test_a_sound_log_verifies_and_says_how_much_there_was(command: Command) -> None:
    code, said = command("log", "verify")
    assert code == 0, said
    assert said.endswith("0 findings\n")


def test_an_export_verifies_on_another_machine(exported: Path, command: Command) -> None:
    """Neither settings nor database: the folder, and the key that the town has published."""
    from click.testing import CliRunner

    from admin.cli import main

    alone = CliRunner().invoke(
        main, ["--config", "nowhere.toml", "log", "verify", "--export", str(exported), "--json"]
    )
    assert alone.exit_code == 0, alone.output
    found = json.loads(alone.stdout)
    assert found["findings"] == []
    assert found["rows"] > 5
    assert found["leaves"] == int((exported / "checkpoint").read_text().split("\n")[1])


def test_an_export_is_laid_out_as_it_is_published(exported: Path, command: Command) -> None:
    """checkpoint, vkey, policy, tiles, entries; records for their owner alone."""
    names = {path.relative_to(exported).parts[0] for path in exported.rglob("*") if path.is_file()}
    assert names == {"checkpoint", "vkey", "policy", "tile", "records"}
    assert stat.S_IMODE((exported / "records").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (exported / "records").iterdir())


def test_an_export_without_records_holds_nobody(command: Command, town: Town, tmp_path: Path) -> None:
    folder = tmp_path / "public"
    assert command("log", "export", str(folder))[0] == 0
    assert not (folder / "records").exists()
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert town.maria.resident_id.encode() not in content


def test_a_folder_that_is_there_is_left_alone(exported: Path, command: Command) -> None:
    code, said = command("log", "export", str(exported))
    assert code == 1
    assert "there already" in said


def test_every_file_of_an_export_that_was_touched_is_named(exported: Path, command: Command) -> None:
    """One bit in any tile, bundle, record or the checkpoint."""
    for path in sorted(exported.rglob("*")):
        where = str(path.relative_to(exported))
        if not path.is_file() or where in ("vkey", "policy") or not path.stat().st_size:
            continue
        content = path.read_bytes()
        path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
        if where == "checkpoint":
            assert command("log", "verify", "--export", str(exported))[0] == 1
        else:
            code, found = verify(command, exported)
            assert code == 1
            # Entries and the tile above them contradict each other: the tile is named, whichever was touched.
            named = where.replace("tile/entries/", "tile/0/")
            assert any(row.startswith(named) for _, row in found), (where, found)
        path.write_bytes(content)
    assert verify(command, exported) == (0, [])


def test_every_file_of_an_export_that_is_gone_is_named(exported: Path, command: Command) -> None:
    for path in sorted((exported / "tile").rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            assert verify(command, exported) == (1, [("deleted", str(path.relative_to(exported)))])
            path.write_bytes(content)


def test_an_export_under_another_key_is_refused(exported: Path, command: Command) -> None:
    """The key comes from elsewhere; the one in the export proves nothing by itself, and that is said."""
    code, said = command("log", "verify", "--export", str(exported), "--vkey", OTHER_KEY)
    assert code == 1
    assert "Error" in said
    code, said = command("log", "verify", "--export", str(exported))
    assert code == 0
    assert "compare it" in said


def test_an_export_is_held_against_a_kept_checkpoint(
    exported: Path, command: Command, town: Town, tmp_path: Path
) -> None:
    """A later export begins with the earlier one; an earlier one lacks what the later has."""
    kept = tmp_path / "kept"
    kept.write_text((exported / "checkpoint").read_text(encoding="utf-8"), encoding="utf-8")
    grow(town, 600)
    later = tmp_path / "later"
    assert command("log", "export", str(later))[0] == 0
    assert verify(command, later, "--checkpoint", str(kept)) == (0, [])
    code, found = verify(command, exported, "--checkpoint", str(later / "checkpoint"))
    assert (code, found) == (1, [("truncated", "checkpoint")])


def test_only_what_came_after_a_checkpoint_is_looked_at(command: Command, town: Town, tmp_path: Path) -> None:
    """--since: the old part is proven to be the one that was kept, and the new part is recomputed."""
    kept = tmp_path / "kept"
    kept.write_text(command("log", "checkpoint")[1], encoding="utf-8")
    code, said = command("log", "verify", "--since", str(kept), "--json")
    assert code == 0, said
    assert json.loads(said)["rows"] == 0
    town.clock.advance(5)  # uids begin with the second, and rows of the same one are looked at together
    town.tokens(town.tax, town.jun)
    integrate_log(town.context, now=int(town.clock()))
    code, said = command("log", "verify", "--since", str(kept), "--json")
    whole = json.loads(command("log", "verify", "--json")[1])
    found = json.loads(said)
    assert (code, found["findings"], found["leaves"]) == (0, [], whole["leaves"])
    assert 0 < found["rows"] < whole["rows"]


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (
            "UPDATE consent_release SET authorization_id = 'a' WHERE id = (SELECT max(id) FROM consent_release)",
            "edited",
        ),
        ("DELETE FROM consent_release WHERE id = (SELECT max(id) FROM consent_release)", "deleted"),
        ("UPDATE consent_log_leaf SET leaf_hash = :bad WHERE leaf_index = 3", "edited"),
        ("DELETE FROM consent_log_leaf WHERE leaf_index = 3", "truncated"),
        ("UPDATE consent_log_leaf SET leaf_hash = :bad WHERE leaf_index = :last", "edited"),
    ],
)
def test_what_was_touched_is_found_since_a_checkpoint(
    command: Command, town: Town, tmp_path: Path, attack: str, named: str
) -> None:
    """In the new part as in a full run; in the tree before it, because the tiles give another root."""
    kept = tmp_path / "kept"
    kept.write_text(command("log", "checkpoint")[1], encoding="utf-8")
    town.userinfo(town.tokens(town.library, town.jun)["access_token"])
    integrate_log(town.context, now=int(town.clock()))
    last = int(command("log", "checkpoint")[1].split("\n")[1]) - 1
    values = {"bad": bytes(32), "last": last}
    run(town, attack, **{name: value for name, value in values.items() if f":{name}" in attack})
    code, said = command("log", "verify", "--since", str(kept), "--json")
    assert code == 1
    assert named in {one["what"] for one in json.loads(said)["findings"]}


def test_a_large_log_is_verified_by_two_processes(
    command: Command, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They find what one finds."""
    run(town, "UPDATE consent_release SET authorization_id = 'a'")
    run(town, "UPDATE consent_log_leaf SET leaf_hash = :bad WHERE leaf_index = 2", bad=bytes(32))
    found = []
    for least in (1_000_000, 0):
        monkeypatch.setattr(cli_log, "_LARGE", least)
        said = json.loads(command("log", "verify", "--json")[1])
        # The act that the first run leaves behind has another hour than the town's own clock.
        found.append([one for one in said["findings"] if one["what"] != "back-dated"])
    assert found[0] == found[1]
    assert {one["table"] for one in found[0]} >= {"consent_release", "consent_log_entry"}


def test_a_verification_is_itself_in_the_log(command: Command, town: Town) -> None:
    """With its counts, for the officer's page."""
    command("log", "verify")
    with town.context.database.reading() as session:
        (details,) = session.execute(
            text("SELECT details FROM consent_act WHERE kind = 'log_verified'")
        ).scalars()
    assert json.loads(details)["findings"] == 0


def test_an_entry_is_proven(command: Command, town: Town) -> None:
    """By uid, with or without dashes, or by the address of a receipt."""
    with town.context.database.reading() as session:
        uid = bytes(session.execute(text("SELECT uid FROM consent_record LIMIT 1")).scalar_one())
        row = session.execute(
            text("SELECT kind, hour, commitment FROM consent_log_entry WHERE uid = :uid"), {"uid": uid}
        ).one()
    from consent.log import leaf_bytes

    dashed = f"{uid.hex()[:8]}-{uid.hex()[8:]}"
    for name in (uid.hex(), dashed, f"https://id.riverton.example/privacy/receipts/{uid.hex()}"):
        code, said = command("log", "prove", name)
        assert code == 0, said
        vkeys = _vkeys(town)
        proofs.parse(said).verify(leaf_bytes(row.kind, row.hour, bytes(row.commitment)), *vkeys)


def _vkeys(town: Town) -> list[str]:
    from idp.upkeep import note_signers

    with town.context.database.reading() as session:
        signer, earlier = note_signers(session, town.context)
    return [signer.vkey, *earlier]


@pytest.mark.parametrize("name", ["00" * 16, "no hex", ""])
def test_what_is_no_entry_is_not_proven(command: Command, name: str) -> None:
    code, said = command("log", "prove", name)
    assert code == 1
    assert "Error: " in said


def test_too_few_witnesses_fail_a_policy(command: Command, exported: Path, tmp_path: Path) -> None:
    """tlog-policy: what the newest checkpoint must carry."""
    plain = exported / "policy"
    assert verify(command, exported, "--policy", str(plain))[0] == 0
    strict = tmp_path / "strict"
    witness = "witness w example.org/w+0c9f0b4e+BEk"  # not a key: the policy is refused
    strict.write_text(plain.read_text(encoding="utf-8").replace("quorum none", f"{witness}\nquorum w"))
    code, said = command("log", "verify", "--policy", str(strict))
    assert (code, "Error" in said) == (1, True)


@pytest.mark.parametrize("words", [("--since", "x", "--checkpoint", "x"), ("--vkey", OTHER_KEY)])
def test_options_that_contradict_each_other_are_refused(
    command: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    kept = tmp_path / "x"
    kept.write_text("")
    code, _ = command("log", "verify", *(str(kept) if word == "x" else word for word in words))
    assert code == 2


def test_whoever_verifies_sees_one_state_whatever_is_written_meanwhile(town: Town) -> None:
    """Also through statements that are prepared: else a log that grows would look like one that was touched."""
    database = town.context.database
    entries = prepared(
        text("SELECT count(*) AS number FROM consent_log_entry").columns(column("number", Integer))
    )

    def counted(session: Any) -> int:
        return int(session.execute(entries).first().number)

    with snapshot(database) as session:
        before = counted(session)
        town.tokens(town.library, town.maria)
        assert counted(session) == before
    with database.reading() as session:
        assert counted(session) > before
