"""`denizen staff`: make, list, reset and switch off staff accounts, on the machine itself."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import pyotp

from admin.staff import service
from admin.staff.rules import ROLES
from idp.cli import opened
from idp.login.passwords import Passwords
from idp.login.rules import password_problem

if TYPE_CHECKING:
    from pathlib import Path

    from idp.web.context import Context

_PROBLEMS = {
    "too_short": "The password needs at least {minimum} characters.",
    "too_long": "The password may have at most 256 characters.",
    "too_simple": "The password repeats the same letters or a simple row. Take several different words.",
    "context": "The password is made of the user name or the town's name. Take other words.",
}


@click.group()
def staff() -> None:
    """Staff accounts: add, list, reset, disable."""


@staff.command()
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What they may do.")
@click.option("--generate", is_flag=True, help="Make a password and print it, instead of asking for one.")
@click.pass_obj
def add(config_path: Path, username: str, role: str, generate: bool) -> None:  # noqa: FBT001
    """Make an account; print once what its owner needs for the authenticator app."""
    with opened(config_path) as context:
        password = _new_password(context, username, generate=generate)
        try:
            with context.database.transaction() as session:
                secret = service.add_staff(
                    session,
                    context.vault,
                    _passwords(context),
                    username=username,
                    role=role,
                    password=password,
                    now=context.now(),
                )
        except service.StaffRefused as error:
            raise click.ClickException(str(error)) from None
        _hand_over(context, username, secret, password if generate else "")


@staff.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_accounts(config_path: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show every account with its role."""
    with opened(config_path) as context, context.database.reading() as session:
        found = [
            {
                "username": one.username,
                "role": one.role,
                "created_at": one.created_at,
                "disabled_at": one.disabled_at,
            }
            for one in service.list_staff(session)
        ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        state = "disabled" if one["disabled_at"] is not None else "active"
        since = datetime.fromtimestamp(int(one["created_at"] or 0), UTC).date()
        click.echo(f"{one['role']:<10}{state:<10}{since}  {one['username']}")


@staff.command()
@click.argument("username")
@click.option("--generate", is_flag=True, help="Make a password and print it, instead of asking for one.")
@click.pass_obj
def reset(config_path: Path, username: str, generate: bool) -> None:  # noqa: FBT001
    """Give an account a new password and a new code secret, and sign it out everywhere."""
    with opened(config_path) as context:
        password = _new_password(context, username, generate=generate)
        with context.database.transaction() as session:
            secret = service.reset_staff(
                session,
                context.vault,
                _passwords(context),
                username=username,
                password=password,
                now=context.now(),
            )
        if secret is None:
            raise click.ClickException(f"There is no active account {username}. See: denizen staff list")
        _hand_over(context, username, secret, password if generate else "")


@staff.command()
@click.argument("username")
@click.pass_obj
def disable(config_path: Path, username: str) -> None:
    """Switch an account off for good; its sessions end at once."""
    with opened(config_path) as context, context.database.transaction() as session:
        done = service.disable_staff(session, context.vault, username, now=context.now())
    if not done:
        raise click.ClickException(f"There is no active account {username}. See: denizen staff list")
    click.echo(f"{username} can no longer sign in.")


def _passwords(context: Context) -> Passwords:
    return Passwords(context.settings.passwords, context.vault.subkey("password-pepper"))


def _new_password(context: Context, username: str, *, generate: bool) -> str:
    if generate:
        return secrets.token_urlsafe(18)
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    minimum = context.settings.passwords.minimum_length
    words = [context.settings.town.name, username, "password", "denizen", "staff"]
    problem = password_problem(password, minimum=minimum, context_words=words)
    if problem:
        raise click.ClickException(_PROBLEMS[problem].format(minimum=minimum))
    return password


def _hand_over(context: Context, username: str, secret: str, password: str) -> None:
    settings = context.settings
    issuer = f"{settings.town.name} staff"
    uri = pyotp.TOTP(secret).provisioning_uri(name=username.strip().lower(), issuer_name=issuer)
    click.echo(f"Sign in at:  {settings.server.staff_url}/login")
    click.echo(f"User name:   {username.strip().lower()}")
    if password:
        click.echo(f"Password:    {password}")
    click.echo(f"Code secret: {secret}")
    click.echo(f"As a link:   {uri}")
    click.echo("This is shown once. Hand it over in person; the authenticator app needs secret or link.")
