"""Running `denizen` on the database of a town that a test has made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from admin.cli import main
from tests.support.town import ISSUER, STAFF

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def commands_on(database_url: str, folder: Path) -> Callable[..., tuple[int, str]]:
    """Runs a command; exit code and output. `folder` is where the town keeps its key file."""
    settings = folder / "denizen.toml"
    settings.write_text(
        f'[server]\nissuer = "{ISSUER}"\nstaff_url = "{STAFF}"\n'
        f'[town]\nname = "Riverton"\ncontact_email = "help@riverton.example"\n'
        f'[database]\nurl = "{database_url}"\n[keys]\nfile = "{folder}/denizen.key"\n'
    )

    def command(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["--config", str(settings), *arguments])
        return done.exit_code, done.output

    return command
