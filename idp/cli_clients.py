"""`denizen client`: register, list and switch off the clients of partners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli import context_of

if TYPE_CHECKING:
    from idp.web.context import Context


@click.group()
def client() -> None:
    """Partners' clients: register, list, switch off."""


@client.command("add")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def add(config_path: Path, manifest: Path, as_json: bool) -> None:  # noqa: FBT001
    """Register the client that a TOML file describes, with its purposes and notices.

    The secret is shown once and never again.
    """
    from sqlalchemy.exc import IntegrityError

    from idp.clients.manifest import enrol, read_manifest
    from idp.clients.service import ClientRefused

    context = context_of(config_path)
    try:
        described = read_manifest(manifest)
        with context.database.transaction() as session:
            client_id, secret = enrol(session, context.vault.subkey("log"), described, now=context.now())
    except ClientRefused as error:
        raise click.ClickException(str(error)) from None
    except IntegrityError:
        raise click.ClickException(f"client_id: {described.client_id} is taken already") from None
    if as_json:
        click.echo(json.dumps({"client_id": client_id, "client_secret": secret}))
        return
    click.echo(f"client_id      {client_id}")
    click.echo(f"client_secret  {secret or '(none: a public client)'}")


@client.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_clients(config_path: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show every client, its partner and whether it is switched on."""
    rows = _rows(context_of(config_path))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = "on" if row["enabled"] else "off"
        click.echo(f"{row['client_id']:<26}{state:<5}{row['name']} ({row['partner']})")


def _rows(context: Context) -> list[dict[str, object]]:
    from sqlalchemy import select

    from idp.clients.models import ClientRow, Partner

    with context.database.reading() as session:
        found = session.execute(
            select(ClientRow, Partner.name)
            .join(Partner, Partner.id == ClientRow.partner_id)
            .order_by(ClientRow.client_id)
        )
        return [
            {
                "client_id": row.client_id,
                "name": row.name,
                "partner": partner,
                "enabled": row.disabled_at is None,
            }
            for row, partner in found
        ]


@client.command("disable")
@click.argument("client_id")
@click.pass_obj
def disable(config_path: Path, client_id: str) -> None:
    """Switch a client off: within a second none of its tokens is worth anything."""
    from idp.clients.service import disable_client

    context = context_of(config_path)
    with context.database.transaction() as session:
        if not disable_client(session, client_id, now=context.now()):
            raise click.ClickException(f"There is no client {client_id}.")
    click.echo(f"{client_id} is switched off.")
