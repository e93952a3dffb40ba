"""`denizen purposes`: from a file to a published notice, with the linter on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.idp.test_cli_clients import EXAMPLE, command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@pytest.fixture
def registered(command: Any) -> str:
    """The client of the example."""
    return str(json.loads(command("client", "add", str(EXAMPLE), "--json").stdout)["client_id"])


def _file(folder: Path, client_id: str, **change: str) -> str:
    """A file with the example's purpose, changed."""
    purpose = EXAMPLE.read_text().partition("[[purpose]]")[2].replace("[purpose.notice", "[purpose.notice")
    text = f'client_id = "{client_id}"\n[purpose]{purpose}'
    for old, new in change.items():
        text = text.replace(f"{old} = ", f"{old} = {new} # ", 1)
    path = folder / "draft.toml"
    path.write_text(text)
    return str(path)


def _listed(command: Any) -> dict[str, Any]:
    (found,) = json.loads(command("purposes", "list", "--json").stdout)
    return dict(found)


def test_from_file_to_notice(command: Any, registered: str, tmp_path: Path) -> None:
    """Draft, review, publish; what changed in substance is said, and who it touches."""
    assert _listed(command)["version"] == 1
    made = command("purposes", "draft", _file(tmp_path, registered, retention_days="1000"))
    assert made.exit_code == 0, made.stderr
    draft = made.stdout.strip()
    assert "open draft" in command("purposes", "draft", _file(tmp_path, registered)).stderr
    assert command("purposes", "publish", draft, "--reason", "r").exit_code == 1
    reviewed = command("purposes", "review", draft).stdout
    assert "changed: retention" in reviewed
    assert "0 residents will choose again." in reviewed
    assert _listed(command)["draft_state"] == "review"
    done = command("purposes", "publish", draft, "--reason", "longer loans").stdout
    assert done == "Version 2 is published; residents choose again.\n"
    found = _listed(command)
    assert (found["version"], found["material_version"], found["draft"]) == (2, 2, None)


def test_what_the_linter_refuses_is_named(command: Any, registered: str, tmp_path: Path) -> None:
    draft = command("purposes", "draft", _file(tmp_path, registered, retention_days='1\ntype = "odd"')).stdout
    refused = command("purposes", "draft", _file(tmp_path, "nobody"))
    assert (refused.exit_code, "there is no client nobody" in refused.stderr) == (1, True)
    assert draft == ""  # its kind never changes


def test_a_purpose_that_needs_the_officer_is_registered_and_waits(command: Any, tmp_path: Path) -> None:
    """The client is there, nobody is asked, and the reason is said."""
    path = tmp_path / "more.toml"
    path.write_text(EXAMPLE.read_text().replace('required = ["name"]', 'required = ["name", "birthdate"]'))
    added = command("client", "add", str(path))
    assert added.exit_code == 0, added.stderr
    assert "waits for the privacy officer: account: it asks for birthdate" in added.stderr
    found = _listed(command)
    assert (found["state"], found["version"], found["draft_state"]) == ("declared", 0, "review")
    command("purposes", "publish", found["draft"], "--reason", "they check it")
    assert _listed(command)["state"] == "published"


def test_a_purpose_that_is_refused_registers_nothing(command: Any, tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    path.write_text(EXAMPLE.read_text().replace("retention_days = 730\n", ""))
    refused = command("client", "add", str(path))
    assert refused.exit_code == 1
    assert "purpose account: it does not say how long the data is kept" in refused.stderr
    assert command("client", "list").stdout.count("Library account") == 0


def _levels(folder: Path, client_id: str) -> dict[str, str]:
    from idp.cli import context_of
    from idp.clients.registry import ClientRegistry

    context = context_of(folder / "denizen.toml")
    found = ClientRegistry(context.database).find(client_id)
    context.database.close()
    assert found is not None
    return dict(found.purpose_acr)


def test_the_level_of_a_purpose_counts_however_the_purpose_is_declared(
    command: Any, registered: str, tmp_path: Path
) -> None:
    """A draft declares one, and so does approval; a draft of one that is there says where its level is changed."""
    other = _file(tmp_path, registered, key='"other"\nminimum_acr = "phr"')
    assert command("purposes", "draft", other).exit_code == 0
    assert _levels(tmp_path, registered) == {"other": "phr"}
    again = command("purposes", "draft", _file(tmp_path, registered, key='"account"\nminimum_acr = "strong"'))
    assert again.exit_code == 1
    assert f"denizen client minimum {registered} strong --purpose account" in again.stderr
    manifest = tmp_path / "more.toml"
    text = EXAMPLE.read_text().replace('key = "account"', 'key = "third"\nminimum_acr = "strong"')
    manifest.write_text(text)
    assert command("client", "approve", registered, "--purposes", str(manifest)).exit_code == 0
    assert _levels(tmp_path, registered) == {"other": "phr", "third": "strong"}


def test_a_purpose_ends_once_and_for_good(command: Any, registered: str, tmp_path: Path) -> None:
    """With a reason in the log; its draft goes with it, and nothing of it can be published or drafted any more."""
    purpose_id = _listed(command)["id"]
    assert purpose_id in command("purposes", "list").stdout
    draft = command("purposes", "draft", _file(tmp_path, registered, retention_days="1000")).stdout.strip()
    command("purposes", "review", draft)
    assert command("purposes", "end", purpose_id).exit_code == 2
    assert "needs a reason" in command("purposes", "end", purpose_id, "--reason", " ").stderr
    ended = command("purposes", "end", purpose_id, "--reason", "the library has closed", "--by", "mayor")
    assert ended.exit_code == 0, ended.stderr
    assert "account" in ended.stdout
    assert "0 residents" in ended.stdout
    assert "Its open draft is discarded." in ended.stdout
    found = _listed(command)
    assert (found["state"], found["draft"]) == ("ended", None)
    for refused in (
        command("purposes", "end", purpose_id, "--reason", "again"),
        command("purposes", "publish", draft, "--reason", "r"),
        command("purposes", "review", draft),
    ):
        assert refused.exit_code == 1
        assert "This purpose has ended, for good" in refused.stderr
    again = command("purposes", "draft", _file(tmp_path, registered))
    assert (again.exit_code, "nor does what has ended come back" in again.stderr) == (1, True)


def test_a_purpose_that_is_none_cannot_end(command: Any, registered: str) -> None:
    refused = command("purposes", "end", "nothing", "--reason", "r")
    assert (refused.exit_code, "There is no purpose nothing." in refused.stderr) == (1, True)
    assert _listed(command)["state"] == "published"


def test_every_process_learns_that_a_purpose_has_ended(command: Any, registered: str, tmp_path: Path) -> None:
    """The stamp at which they look is another one."""
    from sqlalchemy import create_engine, text

    def stamp() -> int:
        engine = create_engine(f"sqlite:///{tmp_path}/denizen.sqlite")
        with engine.connect() as connection:
            found = connection.execute(
                text("SELECT version FROM jobs_stamp WHERE name = 'purposes'")
            ).scalar()
        engine.dispose()
        return int(found or 0)

    before = stamp()
    command("purposes", "end", _listed(command)["id"], "--reason", "r")
    assert stamp() == before + 1
