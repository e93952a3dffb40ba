"""`denizen card`: printed cards for residents without a device of their own."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import context_of
from idp.settings import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

    from idp.accounts.models import Resident
    from idp.login.cards.models import Card
    from idp.web.context import Context


#: A name to sign in with, or the id of a resident.
Whose = tuple[str | None, str | None]


@click.group()
def card() -> None:
    """Printed cards with PIN and paper list: issue, list, revoke."""


@contextmanager
def _town(config_path: Path) -> Iterator[Context]:
    context = context_of(config_path)
    try:
        yield context
    finally:
        context.database.close()


def _whose(command: Callable[..., Any]) -> Callable[..., Any]:
    """The resident, by the name they sign in with or by id."""
    command = click.option(
        "--resident", "resident_id", help="Id of the resident, for one without a user name."
    )(command)
    return click.argument("username", required=False)(command)


@card.command("issue")
@_whose
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The PDF to print; a file that is there already is never overwritten.",
)
@click.option(
    "--language", type=click.Choice(LANGUAGES), help="Language of the sheets, instead of the resident's."
)
@click.option("--replace", is_flag=True, help="Revoke the card that the resident has; its list ends, too.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def issue(  # noqa: PLR0917
    config_path: Path,
    username: str | None,
    resident_id: str | None,
    out: Path,
    language: str | None,
    replace: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Make a card and write it, its PIN and its list as a PDF of three sheets.

    PIN and codes stand in the PDF and nowhere else: print it, fold and close the PIN's sheet, and delete the file.

    \b
    By user name:  denizen card issue samuel.reyes --out card.pdf
    A new one:     denizen card issue samuel.reyes --replace --out card.pdf
    """  # noqa: D301 - click wants the backspace itself
    with _town(config_path) as context:
        card_id, owner_id = _issue(context, (username, resident_id), out, language, replace=replace)
    if as_json:
        click.echo(json.dumps({"card": card_id, "resident": owner_id, "file": str(out)}))
        return
    click.echo(f"Wrote {out}: the card, its PIN and its list, each on a sheet of its own.")
    click.echo(
        "Print it, close the PIN's sheet along its fold, hand everything over sealed, and delete the file."
    )


def _issue(
    context: Context, whose: Whose, out: Path, language: str | None, *, replace: bool
) -> tuple[str, str]:
    """Make the sheets, then issue the card and keep the file: both, or neither. The ids of card and resident."""
    from idp.login.cards import printing, service
    from idp.login.passwords import Passwords
    from idp.paper import PaperProblem

    with context.database.reading() as session:
        resident = _resident(session, context, *whose)
        name = _name(session, context, resident)
    made = service.make(Passwords(context.settings.passwords, context.vault.subkey("password-pepper")))
    now, language = context.now(), language or resident.language
    try:
        pdf = printing.card_pdf(made.printed, context.settings, name=name, language=language, now=now)
        with _new_file(out) as write, context.database.transaction() as session:
            resident = _resident(session, context, None, resident.id)
            if replace:
                _revoke(session, context, resident)
            card_id = service.issue(session, context.vault, resident.id, made, now=now)
            _tell(session, context, resident, "card_issued", made.printed.number[-4:])
            write(pdf)
    except service.HasCard:
        raise click.ClickException(
            "The resident has a card that works. To print another one in its place: --replace"
        ) from None
    except PaperProblem as problem:
        raise click.ClickException(f"The PDF could not be made: {problem}. No card was issued.") from None
    return card_id, resident.id


@card.command("revoke")
@_whose
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def revoke(config_path: Path, username: str | None, resident_id: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Switch a resident's card off, with its list, and sign the resident out everywhere."""
    with _town(config_path) as context, context.database.transaction() as session:
        revoked = _revoke(session, context, _resident(session, context, username, resident_id))
    if revoked is None:
        raise click.ClickException("The resident has no card that works.")
    said = f"The card that ends in {revoked.ending} is switched off."
    click.echo(json.dumps({"card": revoked.id, "resident": revoked.resident_id}) if as_json else said)


@card.command("list")
@click.option("--all", "with_revoked", is_flag=True, help="Also cards that were revoked lately.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_cards(config_path: Path, with_revoked: bool, as_json: bool) -> None:  # noqa: FBT001
    """Show every card: whose, its last four, when it was issued and used, and how many codes are left."""
    from idp.login.cards.service import listed

    with _town(config_path) as context, context.database.reading() as session:
        rows = [_row(one, left) for one, left in listed(session, with_revoked=with_revoked)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else f"{row['codes_left']} codes left"
        used = f"used {_day(row['used_at'])}" if row["used_at"] else "not used"
        click.echo(
            f"{row['resident']:<24}…{row['ending']:<6}issued {_day(row['issued_at'])}  {used:<17}{state}"
        )


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _row(one: Card, left: int) -> dict[str, Any]:
    return {
        "card": one.id,
        "resident": one.resident_id,
        "ending": one.ending,
        "issued_at": one.issued_at,
        "used_at": one.used_at,
        "revoked_at": one.revoked_at,
        "codes_left": left,
    }


def _resident(session: Session, context: Context, username: str | None, resident_id: str | None) -> Resident:
    from idp.accounts.models import Resident
    from idp.accounts.service import find_resident

    if (username is None) == (resident_id is None):
        raise click.UsageError("Say whose card: a user name or e-mail address, or --resident ID.")
    found = (
        session.get(Resident, resident_id)
        if username is None
        else find_resident(session, context.vault, username)
    )
    if found is None or found.data_key is None:
        raise click.ClickException(f"There is no resident {username or resident_id}.")
    if found.state != "active":
        raise click.ClickException(f"The account is {found.state}: no card works for it.")
    return found


def _revoke(session: Session, context: Context, resident: Resident) -> Card | None:
    """Revoke, sign out everywhere and tell; nothing happens where there is no card."""
    from idp.login.cards import service
    from idp.recovery.ending import credentials_changed

    now = context.now()
    session.refresh(resident, with_for_update=True)
    revoked = service.revoke(session, resident.id, now=now)
    if revoked is not None:
        credentials_changed(session, resident.id, keep_session=None, now=now)
        _tell(session, context, resident, "card_revoked", revoked.ending)
    return revoked


def _tell(session: Session, context: Context, resident: Resident, message: str, ending: str) -> None:
    from idp.messaging.service import tell

    now = context.now()
    values = {"at": now, "ending": ending, "link": f"{context.settings.server.issuer}/account"}
    tell(session, context.vault, resident, message, values, now=now)


def _name(session: Session, context: Context, resident: Resident) -> str:
    from idp.accounts.rules import display_name
    from idp.accounts.service import read_attributes

    known = read_attributes(session, context.vault, resident)
    return display_name(known.get("given_name", ""), known.get("family_name"))


@contextmanager
def _new_file(path: Path) -> Iterator[Callable[[bytes], object]]:
    """A file that its owner alone can read; it goes again when the block fails, so no PDF is without its card."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{path} is there already. Choose another name with --out.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
    except BaseException:
        path.unlink(missing_ok=True)
        raise
