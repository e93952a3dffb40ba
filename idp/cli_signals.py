"""`denizen signals`: what partners are told, and which of them do not take it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from idp import cli_outbox
from idp.cli import BY_ID, opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from idp.signals.outbox import Listed

_STATES = ("waiting", "sent", "dead", "dropped")
_CLIENT = click.option("--client", "client_id", help="Only signals to this client_id.")
_ID = click.argument("signal_id", required=False)
_ALL = click.option("--all", "every", is_flag=True, help="Every dead signal, or every one of --client.")


@click.group()
def signals() -> None:
    """What partners are told: that somebody has signed out. Whom it is about is never shown.

    \b
    Which partners do not listen:  denizen signals list
    After one has mended its ways: denizen signals retry --all --client library
    """  # noqa: D301 - click wants the backspace itself


@signals.command("list")
@cli_outbox.states(_STATES)
@_CLIENT
@cli_outbox.LIMIT
@cli_outbox.JSON
@click.pass_obj
def signals_list(
    config_path: Path, states: Sequence[str], client_id: str | None, limit: int, *, as_json: bool
) -> None:
    """Show signals, the oldest first, with what went wrong last."""
    from idp.signals import outbox

    with opened(config_path) as context, context.database.reading() as session:
        found = outbox.listed(session, states, client_id, limit)
        counts = outbox.counted(session)
    if as_json:
        totals = [{"client_id": one, "state": state, "count": count} for one, state, count in counts]
        click.echo(json.dumps({"signals": [asdict(one) for one in found], "counts": totals}, indent=2))
        return
    for one in found:
        click.echo(_line(one))
    click.echo(
        "; ".join(f"{client}: {count} {state}" for client, state, count in counts) or "There are none."
    )


def _line(one: Listed) -> str:
    when = cli_outbox.instant(one.created_at)
    line = (
        f"{one.id}  {one.kind:<8}{one.state:<9}{when}  {one.client_id:<24}tried {one.attempts}  {one.trouble}"
    )
    return line.rstrip()


@signals.command("retry", context_settings=BY_ID)
@_ID
@_ALL
@_CLIENT
@cli_outbox.JSON
@click.pass_obj
def signals_retry(
    config_path: Path, signal_id: str | None, client_id: str | None, *, every: bool, as_json: bool
) -> None:
    """Tell again what was given up."""
    from idp.signals import outbox

    which = cli_outbox.which(signal_id, "signal", every=every)
    with opened(config_path) as context, context.database.transaction() as session:
        done = outbox.retry(session, which, client_id=client_id, now=context.now())
    cli_outbox.report(done, "will be tried again", "signal", one=which is not None, as_json=as_json)


@signals.command("drop", context_settings=BY_ID)
@_ID
@_ALL
@_CLIENT
@cli_outbox.JSON
@click.pass_obj
def signals_drop(
    config_path: Path, signal_id: str | None, client_id: str | None, *, every: bool, as_json: bool
) -> None:
    """Give up dead signals, or one that waits."""
    from idp.signals import outbox

    which = cli_outbox.which(signal_id, "signal", every=every)
    with opened(config_path) as context, context.database.transaction() as session:
        done = outbox.drop(session, which, client_id=client_id, now=context.now())
    cli_outbox.report(done, "dropped", "signal", one=which is not None, as_json=as_json)
