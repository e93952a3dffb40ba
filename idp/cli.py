"""The `denizen` command, but for what needs the staff app (`admin.cli` adds that)."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.web.context import Context

TEMPLATE = """\
# Settings of Denizen. Every one is explained in docs/settings.md; check with: denizen config check

[server]
issuer = "{issuer}"
staff_url = "{staff_url}"

[town]
name = "{town}"
contact_email = "{contact}"

[database]
url = "sqlite:///{folder}/denizen.sqlite"

[keys]
file = "{folder}/denizen.key"

[mail]
host = "127.0.0.1"
port = 25
security = "none"
sender = "{contact}"
"""

#: For commands that take an id: an id may begin with a dash, and is no option for that, nor is an h in it a question.
BY_ID = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


class LateGroup(click.Group):
    """A group that imports a command when it is asked for, so that `serve` carries nothing of the others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._late: dict[str, str] = {}

    def add_late(self, name: str, place: str) -> None:
        """Know a command by its `module:attribute`."""
        self._late[name] = place

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, for the help page."""
        return sorted({*super().list_commands(ctx), *self._late})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now if need be."""
        if cmd_name in self._late:
            module, _, attribute = self._late[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="DENIZEN_CONFIG",
    default=Path("denizen.toml"),
    show_default=True,
    help="The settings file.",
)
@click.version_option(package_name="denizen")
@click.pass_context
def main(click_context: click.Context, config_path: Path) -> None:
    """One verified identity and one privacy record for every resident of a town.

    \b
    A first look:          denizen demo
    A town on one machine: denizen init && denizen migrate && denizen serve
    """  # noqa: D301 - click wants the backspace itself
    click_context.obj = config_path
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.Formatter.converter = time.gmtime
    logging.getLogger("alembic").setLevel(logging.WARNING)


def settings_of(config_path: Path) -> Settings:
    """The settings, or an exit that names every mistake."""
    try:
        return load(config_path)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise SystemExit(2) from None


def context_of(config_path: Path) -> Context:
    """Database and keys, or an exit that says what to do."""
    from idp.app import open_context

    settings = settings_of(config_path)
    with explained():
        return open_context(settings, checkpoints=False)


@contextmanager
def opened(config_path: Path) -> Iterator[Context]:
    """Database and keys for one command, closed again at the end."""
    context = context_of(config_path)
    try:
        yield context
    finally:
        context.database.close()


@contextmanager
def explained() -> Iterator[None]:
    """Turn what an operator can mend into one line: the key file, the schema, a database that cannot be used."""
    from sqlalchemy.exc import DBAPIError

    from idp.schema import SchemaOutdated, database_problem
    from keys.envelope import KeyFileError

    try:
        yield
    except (KeyFileError, SchemaOutdated) as error:
        raise click.ClickException(str(error)) from None
    except DBAPIError as error:
        raise click.ClickException(database_problem(error)) from None


@main.command()
@click.option("--issuer", default="http://localhost:8400", show_default=True, help="Address for residents.")
@click.option(
    "--staff-url", default="http://staff.localhost:8400", show_default=True, help="Address for staff."
)
@click.option("--town", default="Riverton", show_default=True, help="Name of the town.")
@click.option("--contact", default="help@riverton.example", show_default=True, help="Where residents turn.")
@click.pass_obj
def init(config_path: Path, issuer: str, staff_url: str, town: str, contact: str) -> None:
    """Make a settings file (if there is none) and the key file.

    The key file protects everything in the database. It is made once and never overwritten.
    """
    from keys.envelope import KeyFileError, create_key_file

    if config_path.exists():
        click.echo(f"{config_path} is there already and stays as it is.")
    else:
        folder = config_path.resolve().parent.as_posix()
        text = TEMPLATE.format(issuer=issuer, staff_url=staff_url, town=town, contact=contact, folder=folder)
        config_path.write_text(text, encoding="utf-8")
        click.echo(f"Made {config_path}.")
    settings = settings_of(config_path)
    _refuse_orphaned_database(settings)
    try:
        create_key_file(settings.keys.file)
    except KeyFileError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Made {settings.keys.file}. Keep a copy of it apart from the database.")
    click.echo("Next: denizen migrate")


def _refuse_orphaned_database(settings: Settings) -> None:
    """A new key beside an existing database would hide that the right one is missing."""
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import DBAPIError

    path = Path(settings.database.url.removeprefix("sqlite:///"))
    if settings.keys.file.exists() or (settings.is_sqlite and not path.exists()):
        return
    engine = create_engine(settings.database.url)
    try:
        found = inspect(engine).has_table("keys_service_key")
    except DBAPIError:
        found = False
    finally:
        engine.dispose()
    if found:
        raise click.ClickException(
            f"The database holds data under another key file. Restore it to {settings.keys.file} from your backup."
        )


@main.command()
@click.pass_obj
def migrate(config_path: Path) -> None:
    """Bring the database to this version, and make what is missing (first signing keys)."""
    from idp.schema import head_revision, upgrade_database
    from idp.upkeep import turn_keys
    from keys.envelope import load_key_file

    settings = settings_of(config_path)
    with explained():
        load_key_file(settings.keys.file)
        upgrade_database(settings.database.url)
    context = context_of(config_path)
    turn_keys(context, now=context.now())
    click.echo(f"The database is at revision {head_revision()}. Next: denizen serve")


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command("check")
@click.pass_obj
def config_check(config_path: Path) -> None:
    """Explain every mistake in the settings; exit 0 when there is none."""
    settings = settings_of(config_path)
    click.echo(f"{config_path} is fine: {settings.town.name}, {settings.server.issuer}.")


@main.group()
def keys() -> None:
    """Signing keys: list, rotate, retire."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def keys_list(config_path: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show every signing key and its state."""
    from keys.rotation import list_keys

    context = context_of(config_path)
    with context.database.reading() as session:
        found = [asdict(key) for key in list_keys(session)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key in found:
        click.echo(f"{key['use']:<10}{key['alg']:<9}{key['state']:<10}{key['kid']}")


@keys.command("rotate")
@click.option("--alg", type=click.Choice(["ES256", "RS256", "PS256", "EdDSA"]), help="Only this algorithm.")
@click.option("--force", is_flag=True, help="Also when the next key is not yet published long enough.")
@click.pass_obj
def keys_rotate(config_path: Path, alg: str | None, force: bool) -> None:  # noqa: FBT001
    """Let the next key sign now. The present one stays published, so nothing that it signed fails."""
    from idp.upkeep import rotate_keys
    from keys.rotation import RotationRefused

    context = context_of(config_path)
    try:
        events = rotate_keys(context, alg=alg, force=force, now=context.now())
    except RotationRefused as error:
        raise click.ClickException(str(error)) from None
    _echo_events(events)


@keys.command("retire", context_settings=BY_ID)
@click.argument("kid")
@click.pass_obj
def keys_retire(config_path: Path, kid: str) -> None:
    """Take a key out of the published set at once: what it signed is no longer believed."""
    from idp.upkeep import retire_key
    from keys.rotation import KeyStillSigns, UnknownKey

    context = context_of(config_path)
    try:
        events = retire_key(context, kid, now=context.now())
    except (KeyStillSigns, UnknownKey) as error:
        raise click.ClickException(str(error)) from None
    _echo_events(events)


def _echo_events(events: Any) -> None:
    for event in events:
        click.echo(f"{type(event).__name__}: {event.alg} {event.kid}")
