"""`denizen passwords`: the town's list of passwords that nobody may choose."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import settings_of

if TYPE_CHECKING:
    from idp.login.breached_import import Imported


@click.group()
def passwords() -> None:
    """Passwords that nobody may choose: import a list, check it."""


@passwords.command("import")
@click.argument("source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave out hashes that were seen fewer times; needs lines with counts.",
)
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write instead of [passwords] breached_file.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def import_(config_path: Path, source: Path, min_count: int, target: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Make the compact list of [passwords] breached_file from a list of any length.

    FILE is text: SHA-1 hashes as Have I Been Pwned gives them out (HASH:COUNT, one a line), or plain passwords,
    one a line. The present list is replaced once the new one is whole; a running town notices by itself.

    \b
    Everything:                    denizen passwords import pwned-passwords-sha1.txt
    What was seen ten times:       denizen passwords import pwned-passwords-sha1.txt --min-count 10
    """  # noqa: D301 - click wants the backspace itself
    from idp.login.breached import false_positive_rate
    from idp.login.breached_import import ListUnreadable

    place = target or _configured(config_path, ", or write one with --to")
    try:
        found = _imported(source, place, min_count)
    except ListUnreadable as error:
        raise click.ClickException(f"{source}: {error} Nothing was changed.") from None
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or place}: {error.strerror}. Nothing was changed."
        ) from None
    said = {
        "file": str(place),
        "kind": found.kind,
        "lines": found.lines,
        "below_min_count": found.below_minimum,
        "entries": found.kept,
        "bytes": place.stat().st_size,
        "false_positive_rate": false_positive_rate(found.kept),
    }
    click.echo(json.dumps(said) if as_json else _in_words(said))


def _imported(source: Path, place: Path, min_count: int) -> Imported:
    from idp.login.breached_import import import_list

    size, label = source.stat().st_size, f"Reading {source.name}"
    with (
        source.open("rb") as file,
        click.progressbar(length=size, label=label, file=sys.stderr) as bar,
    ):
        return import_list(file, place, min_count=min_count, progress=bar.update)


@passwords.command("check")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def check(config_path: Path, as_json: bool) -> None:  # noqa: FBT001
    """Read the whole list of [passwords] breached_file and compare it with its checksum. Exit 1 when it is damaged."""
    from idp.login.breached import BreachedFile, BreachedFileProblem

    place = _configured(config_path)
    try:
        found = BreachedFile(place)
        found.verify()
    except BreachedFileProblem as problem:
        raise click.ClickException(str(problem)) from None
    said = {"file": str(place), "entries": found.count, "ok": True}
    click.echo(json.dumps(said) if as_json else f"{place} is whole: {found.count:,} entries.")


def _configured(config_path: Path, otherwise: str = "") -> Path:
    configured = settings_of(config_path).passwords.breached_file
    if not configured:
        raise click.UsageError(
            f"[passwords] breached_file is empty. Name a file there, such as breached.bin{otherwise}."
        )
    return Path(configured)


def _in_words(said: dict[str, Any]) -> str:
    left_out = f", {said['below_min_count']:,} left out for their count" if said["below_min_count"] else ""
    return (
        f"{said['lines']:,} lines read{left_out}.\n"
        f"{said['file']} holds {said['entries']:,} entries in {said['bytes']:,} bytes; it refuses a password that "
        f"is not on the list with a probability of {said['false_positive_rate']:.1e}."
    )
