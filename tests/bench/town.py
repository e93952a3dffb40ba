"""Lays out a private town the way an operator does: a settings file, `denizen init`, `denizen migrate`, residents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.bench.children import small_environment

REPOSITORY = Path(__file__).parents[2]
SECONDS = 300


def make_town(folder: Path, *, port: int, database_url: str, workers: int) -> tuple[Path, dict[str, str]]:
    """Make a town in `folder`, ready to be served.

    Returns its settings file, and its clients' secrets by client id.

    Raises:
        RuntimeError: when one of the commands fails, with what it said.

    """
    settings = folder / "denizen.toml"
    settings.write_text(
        _settings(folder, port, database_url or f"sqlite:///{folder}/denizen.sqlite", workers)
    )
    run_denizen(settings, "init")
    run_denizen(settings, "migrate")
    secrets = json.loads(_run([sys.executable, "-m", "tests.bench.seed", str(settings)], settings))
    return settings, secrets


def denizen_command() -> str:
    """The installed `denizen` command beside this interpreter."""
    return str(Path(sys.executable).parent / "denizen")


def environment(settings: Path) -> dict[str, str]:
    """What a `denizen` command reads from its environment."""
    return {"DENIZEN_CONFIG": str(settings)}


def run_denizen(settings: Path, *arguments: str) -> None:
    """Run one command of the town's operator to its end."""
    _run([denizen_command(), *arguments], settings)


def _run(command: list[str], settings: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=small_environment(environment(settings)),
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except OSError as error:
        raise RuntimeError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _settings(folder: Path, port: int, database_url: str, workers: int) -> str:
    return f"""\
[server]
issuer = "http://localhost:{port}"
staff_url = "http://127.0.0.1:{port}"
bind = "127.0.0.1:{port}"
workers = {workers}

[town]
name = "Riverton"
contact_email = "help@riverton.example"

[database]
url = "{database_url}"

[keys]
file = "{folder}/denizen.key"

[mail]
security = "none"
"""
