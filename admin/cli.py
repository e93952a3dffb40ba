"""The whole `denizen` command: what `idp` has, and what needs the staff app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.cli import context_of, main, settings_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["main"]


@main.command()
@click.option(
    "--only", type=click.Choice(["residents", "staff"]), help="Serve one app instead of both by host name."
)
@click.pass_obj
def serve(config_path: Path, only: str | None) -> None:
    """Serve the town. End with Ctrl-C or SIGTERM; requests at hand are finished first."""
    from admin.app import create_app
    from idp.schema import SchemaOutdated
    from idp.serve import serve as run
    from keys.envelope import KeyFileError

    settings = settings_of(config_path)
    try:
        run(settings, make_staff_app=create_app, only=only or "")
    except (KeyFileError, SchemaOutdated) as error:
        raise click.ClickException(str(error)) from None
