"""`denizen purposes`: why clients ask, and the notices that say so: list, draft, hand to review, publish; and end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import BY_ID, context_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from consent.drafts import Draft
    from consent.facts import Change
    from idp.web.context import Context


@click.group()
def purposes() -> None:
    """Purposes of clients and their notices: list, draft, review, publish, end."""


@purposes.command("list")
@click.option("--client", "client_id", help="Only those of one client.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def list_purposes(config_path: Path, client_id: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Show every purpose, the version of its notice, and its open draft if there is one."""
    rows = list(_rows(context_of(config_path), client_id))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        draft = f"  {row['draft_state']} {row['draft']}" if row["draft"] else ""
        click.echo(
            f"{row['id']}  {row['client_id']}  {row['key']}  {row['basis']}  {row['state']}  v{row['version']}{draft}"
        )


@purposes.command("draft")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def draft(config_path: Path, file: Path) -> None:
    """Begin a draft from FILE, which names a client_id and holds one [purpose] as a client's manifest does.

    A purpose that the client does not have yet is declared; it can be asked for once its notice is published.
    """
    from sqlalchemy.exc import IntegrityError

    from idp.clients.manifest import begin_draft, read_draft
    from idp.clients.service import ClientRefused

    context = context_of(config_path)
    try:
        described = read_draft(file)
        with _explained(), context.database.transaction() as session:
            draft_id = begin_draft(session, context.vault.subkey("log"), described, now=context.now())
    except ClientRefused as error:
        raise click.ClickException(str(error)) from None
    except IntegrityError:
        raise click.ClickException("This purpose has an open draft already.") from None
    click.echo(draft_id)


@purposes.command("review", context_settings=BY_ID)
@click.argument("draft_id")
@click.pass_obj
def review(config_path: Path, draft_id: str) -> None:
    """Hand a draft to the privacy officer, and say what it changes and what the officer will look at."""
    from consent import drafts

    context = context_of(config_path)
    with _explained(), context.database.transaction() as session:
        found = drafts.submit(
            session,
            _found(session, draft_id),
            town_languages=context.settings.town.languages,
            now=context.now(),
        )
        changes, touched = drafts.changes(session, found), drafts.touched(session, found.purpose_id)
    for finding in found.findings:
        click.echo(f"for the officer: {finding.words}")
    _say(changes, touched)


@purposes.command("publish", context_settings=BY_ID)
@click.argument("draft_id")
@click.option("--reason", required=True, help="Why it is published; it stands in the log.")
@click.option("--by", default="command-line", show_default=True, help="Who approved it.")
@click.pass_obj
def publish(config_path: Path, draft_id: str, reason: str, by: str) -> None:
    """Publish a draft that was handed to review. It can never be changed again.

    What the linter left to the privacy officer counts as accepted, and stands in the log as an exception.
    """
    from consent import acts, drafts
    from idp.jobs.stamps import PURPOSES, bump

    context = context_of(config_path)
    with _explained(), context.database.transaction() as session:
        outcome = drafts.publish(
            session,
            _found(session, draft_id),
            log_key=context.vault.subkey("log"),
            actor=acts.staff(by),
            reason=reason,
            town_languages=context.settings.town.languages,
            now=context.now(),
        )
        bump(session, PURPOSES)
    again = "residents choose again" if outcome.material else "nobody is asked again"
    click.echo(f"Version {outcome.version} is published; {again}.")


@purposes.command("end", context_settings=BY_ID)
@click.argument("purpose_id")
@click.option("--reason", required=True, help="Why it ends; it stands in the log.")
@click.option("--by", default="command-line", show_default=True, help="Who decided it.")
@click.pass_obj
def end(config_path: Path, purpose_id: str, reason: str, by: str) -> None:
    """End a purpose for good: from now on nothing rests on it, and nobody is asked for it. It never comes back.

    Nobody's consent is deleted: every choice stays on record. An open draft of the purpose is discarded.
    """
    from consent import acts, drafts, ending
    from consent.purposes import find_purpose
    from idp.jobs.stamps import PURPOSES, bump

    context = context_of(config_path)
    with _explained(), context.database.transaction() as session:
        purpose, touched = find_purpose(session, purpose_id), drafts.touched(session, purpose_id)
        if purpose is None:
            raise click.ClickException(
                f"There is no purpose {purpose_id}. `denizen purposes list` names them."
            )
        had_draft = ending.end(
            session,
            purpose,
            log_key=context.vault.subkey("log"),
            actor=acts.staff(by),
            reason=reason,
            now=context.now(),
        )
        bump(session, PURPOSES)
    people = "1 resident" if touched == 1 else f"{touched} residents"
    click.echo(f"The purpose {purpose.key} of {purpose.client_id} has ended; this touches {people}.")
    if had_draft:
        click.echo("Its open draft is discarded.")


def _rows(context: Context, client_id: str | None) -> Iterator[dict[str, Any]]:
    from consent import drafts
    from consent.purposes import all_purposes

    with context.database.reading() as session:
        waiting = {one.purpose_id: one for one in drafts.open_drafts(session)}
        for one in all_purposes(session, client_id):
            drafted = waiting.get(one.id)
            yield {
                "id": one.id,
                "client_id": one.client_id,
                "key": one.key,
                "basis": one.basis,
                "type": one.purpose_type,
                "state": one.state,
                "version": one.notice_version,
                "material_version": one.material_version,
                "draft": drafted.id if drafted else None,
                "draft_state": drafted.state if drafted else None,
            }


def _found(session: Session, draft_id: str) -> Draft:
    from consent import drafts

    found = drafts.find(session, draft_id)
    if found is None:
        raise click.ClickException(f"There is no draft {draft_id}.")
    return found


def _explained() -> AbstractContextManager[None]:
    """Refusals in the words of the command line."""
    from contextlib import contextmanager

    from consent.drafts import DraftChanged, DraftRefused, PurposeEnded

    @contextmanager
    def explained() -> Iterator[None]:
        try:
            yield
        except DraftRefused as error:
            raise click.ClickException("\n".join(one.words for one in error.findings)) from None
        except PurposeEnded:
            raise click.ClickException(
                "This purpose has ended, for good: nothing of it can be changed any more."
            ) from None
        except DraftChanged:
            raise click.ClickException(
                "It is not at that stage (draft, then review, then published), or somebody changed it meanwhile."
            ) from None
        except ValueError as error:
            raise click.ClickException(str(error)) from None

    return explained()


def _say(changes: Sequence[Change], touched: int) -> None:
    from consent.facts import is_material

    for change in changes:
        click.echo(f"changed: {change.what}{'' if change.material else ' (nobody is asked again for this)'}")
    if is_material(changes):
        click.echo(f"{touched} residents will choose again.")
