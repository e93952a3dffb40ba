"""The command `denizen demo`."""

from __future__ import annotations

import json
import logging
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from admin.sandbox.ports import HIGHEST

if TYPE_CHECKING:
    from admin.sandbox.folder import Town

_PORT = click.IntRange(1, 65_534)
_NEEDS = ("aiosmtpd", "requests")


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object for scripts, once everything answers."
)
@click.option("--fresh", is_flag=True, help="Begin anew: remove what an earlier demo made in the folder.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default="./demo",
    help="Where the town's data is kept.",
)
@click.option(
    "--port-residents", "residents", type=_PORT, show_default="8400", help="Port of the residents' app."
)
@click.option("--port-staff", "staff", type=_PORT, show_default="8401", help="Port of the staff app.")
@click.option("--port-mailbox", "mailbox", type=_PORT, show_default="8402", help="Port of the mailbox page.")
@click.option(
    "--port-partners",
    "partners",
    type=click.IntRange(1, HIGHEST - 2),
    show_default="8410",
    help="First of three ports, for the partner apps and the neighbouring town.",
)
def demo(as_json: bool, fresh: bool, folder: Path, **ports: int | None) -> None:  # noqa: FBT001
    """Serve the sample town Riverton on this machine, with partner apps and a mailbox, until Ctrl-C.

    \b
    A first look:    denizen demo
    On other ports:  denizen demo --folder other --port-residents 9400 --port-staff 9401
    """  # noqa: D301 - click wants the backspace itself
    started_at = time.monotonic()
    _require_packages()
    _forget_settings_of_other_towns()
    from admin.sandbox.demo import run_demo
    from admin.sandbox.folder import Folder, FolderProblem
    from admin.sandbox.guide import as_json as in_json
    from admin.sandbox.guide import as_text
    from admin.sandbox.ports import PortProblem
    from admin.sandbox.processes import ChildEnded

    logging.getLogger().setLevel(logging.WARNING)  # what is made here is no news to anybody
    place = Folder(folder)

    def announce(town: Town) -> None:
        said: Any = as_text(town, place, seconds=time.monotonic() - started_at)
        click.echo(json.dumps(in_json(town)) if as_json else said)

    asked = {name: port for name, port in ports.items() if port is not None}
    try:
        run_demo(place, asked, is_fresh=fresh, announce=announce)
    except (PortProblem, FolderProblem, ChildEnded) as error:
        raise click.ClickException(str(error)) from None


def _require_packages() -> None:
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"The demo needs {' and '.join(missing)} besides. Install denizen with its extra: denizen[sandbox]"
        )


def _forget_settings_of_other_towns() -> None:
    """The demo's town has settings of its own; variables meant for another town must not reach it."""
    environment = os.environ  # noqa: TID251 - emptied, not read
    for name in [name for name in environment if name.upper().startswith("DENIZEN_")]:
        del environment[name]
