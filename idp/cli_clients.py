"""`denizen client`: register, approve, list and switch off the clients of partners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp.cli import BY_ID, context_of

if TYPE_CHECKING:
    from idp.web.context import Context


@click.group()
def client() -> None:
    """Partners' clients: register, list, demand a level of sign-in, switch off."""


@client.command("add")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def add(config_path: Path, manifest: Path, as_json: bool) -> None:  # noqa: FBT001
    """Register the client that a TOML file describes, with its purposes and notices.

    The secret is shown once and never again.
    """
    from sqlalchemy.exc import IntegrityError

    from idp.clients.manifest import enrol, left_to_officer, read_manifest
    from idp.clients.sectors import check_sector
    from idp.clients.service import ClientRefused
    from idp.web.fetcher import Fetcher

    context = context_of(config_path)
    try:
        described = read_manifest(manifest)
        check_sector(Fetcher(context.settings.testing), described.client())
        with context.database.transaction() as session:
            client_id, secret = enrol(
                session,
                context.vault.subkey("log"),
                described,
                now=context.now(),
                vault=context.vault,
                allow_loopback=context.settings.testing.allow_loopback,
                algorithms=context.settings.keys.algorithms,
                languages=context.settings.town.languages,
            )
    except ClientRefused as error:
        raise click.ClickException(str(error)) from None
    except IntegrityError:
        raise click.ClickException(f"client_id: {described.client_id} is taken already") from None
    for waits in left_to_officer(described, context.settings.town.languages):
        click.echo(f"waits for the privacy officer: {waits}", err=True)
    if as_json:
        click.echo(json.dumps({"client_id": client_id, "client_secret": secret}))
        return
    click.echo(f"client_id      {client_id}")
    click.echo(f"client_secret  {secret or '(none)'}")


@client.command("token")
@click.argument("partner")
@click.option(
    "--profile",
    type=click.Choice(["standard", "fapi2", "fapi2-signed", "legacy"]),
    default="standard",
    show_default=True,
    help="Security profile of the clients.",
)
@click.option("--uses", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many clients.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=7, show_default=True, help="How long it is good."
)
@click.pass_obj
def token(config_path: Path, partner: str, profile: str, uses: int, days: int) -> None:
    """Make a token with which PARTNER registers clients over HTTP. It is shown once and never again.

    Give it only to a partner that has been reviewed: its clients count as approved.
    """
    from idp.clients.initial_tokens import make_initial_token
    from idp.clients.metadata import NAME_LIMIT
    from idp.clients.service import add_partner

    if not partner.strip() or len(partner) > NAME_LIMIT or not partner.isprintable():
        raise click.UsageError(f"PARTNER must have 1 to {NAME_LIMIT} characters that can be seen")
    context = context_of(config_path)
    if context.settings.registration.mode == "closed":
        click.echo("[registration] mode is closed: the token will work once it is token or open.", err=True)
    now = context.now()
    with context.database.transaction() as session:
        partner_id = add_partner(session, partner, now=now)
        made = make_initial_token(
            session, partner_id, profile=profile, uses=uses, expires_at=now + days * 86_400, now=now
        )
    click.echo(made)


@client.command("approve", context_settings=BY_ID)
@click.argument("client_id")
@click.option(
    "--purposes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A manifest whose purposes and notices the client gets; whatever else stands in it is passed over.",
)
@click.pass_obj
def approve(config_path: Path, client_id: str, purposes: Path | None) -> None:
    """Let a client that registered itself receive what its purposes allow."""
    from sqlalchemy.exc import IntegrityError

    from idp.clients.manifest import declare_purposes, left_to_officer, read_manifest
    from idp.clients.service import ClientRefused, approve_client

    context = context_of(config_path)
    now = context.now()
    try:
        described = read_manifest(purposes) if purposes else None
        with context.database.transaction() as session:
            if not approve_client(session, client_id, now=now):
                raise click.ClickException(f"There is no client {client_id}.")
            if described is not None:
                log_key, languages = context.vault.subkey("log"), context.settings.town.languages
                declare_purposes(session, log_key, client_id, described, languages=languages, now=now)
    except ClientRefused as error:
        raise click.ClickException(str(error)) from None
    except IntegrityError:
        raise click.ClickException(
            f"{client_id} has one of these purposes already. New words for it: denizen purposes draft FILE"
        ) from None
    click.echo(f"{client_id} is approved.")
    for waits in left_to_officer(described, context.settings.town.languages) if described else ():
        click.echo(f"waits for the privacy officer: {waits}", err=True)


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
        state = ("waits" if row["pending"] else "on") if row["enabled"] else "off"
        click.echo(f"{row['client_id']:<26}{state:<7}{row['name']} ({row['partner']})")


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
                "profile": row.profile,
                "pending": row.approved_at is None,
            }
            for row, partner in found
        ]


@client.command("minimum", context_settings=BY_ID)
@click.argument("client_id")
@click.argument("level", type=click.Choice(["basic", "strong", "phr"]))
@click.option("--purpose", metavar="KEY", default="", help="Only where this purpose is asked for.")
@click.pass_obj
def minimum(config_path: Path, client_id: str, level: str, purpose: str) -> None:
    """Set the level of sign-in below which nobody gets to a client: basic, strong (two factors) or phr (passkey)."""
    from consent.purposes import all_purposes
    from idp.clients.service import demand_level

    context = context_of(config_path)
    with context.database.transaction() as session:
        if not demand_level(session, client_id, level, purpose=purpose):
            raise click.ClickException(f"There is no client {client_id}.")
        if purpose and all(one.key != purpose for one in all_purposes(session, client_id)):
            raise click.ClickException(f"{client_id} has no purpose {purpose}.")
    where = f" for {purpose}" if purpose else ""
    click.echo(f"{client_id} needs a sign-in of level {level}{where} from now on.")


@client.command("disable", context_settings=BY_ID)
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
