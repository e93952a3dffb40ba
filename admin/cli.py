"""The whole `denizen` command: what `idp` has, and what needs the staff app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli import main, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from idp.web.context import Context

__all__ = ["main"]

main.add_late("card", "idp.cli_cards:card")
main.add_late("client", "idp.cli_clients:client")
main.add_late("conformance", "admin.sandbox.conformance.cli:conformance")
main.add_late("demo", "admin.sandbox.cli:demo")
main.add_late("letters", "idp.cli_messages:letters")
main.add_late("log", "idp.cli_log:log")
main.add_late("messages", "idp.cli_messages:messages")
main.add_late("passwords", "idp.cli_passwords:passwords")
main.add_late("purposes", "idp.cli_purposes:purposes")
main.add_late("receipt", "idp.cli_receipt:receipt")
main.add_late("signals", "idp.cli_signals:signals")
main.add_late("staff", "admin.staff.cli:staff")
main.add_late("witness", "idp.cli_witness:witness")
main.add_late("worker", "idp.cli_messages:worker")


@main.command()
@click.option(
    "--only", type=click.Choice(["residents", "staff"]), help="Serve one app instead of both by host name."
)
@click.pass_obj
def serve(config_path: Path, only: str | None) -> None:
    """Serve the town. End with Ctrl-C or SIGTERM; requests at hand are finished first."""
    from idp.serve import serve as run

    def load_staff_app() -> Callable[[Context], Any]:
        from admin.app import create_app

        return create_app

    settings = settings_of(config_path)
    if only == "staff" and not settings.server.staff_bind:
        raise click.UsageError("[server] staff_bind is empty: say where the staff app is to listen")
    if not run(settings, load_staff_app=load_staff_app, only=only or ""):
        raise SystemExit(1)
