"""`denizen signals`: what partners are told, and which of them do not take it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from idp.cli import BY_ID, context_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from idp.signals.outbox import Listed
    from idp.web.context import Context

_STATES = ("waiting", "sent", "dead", "dropped")
_CLIENT = click.option("--client", "client_id", help="Only signals to this client_id.")
_ID = click.argument("signal_id", required=False)
_ALL = click.option("--all", "every", is_flag=True, help="Every dead signal, or every one of --client.")
_JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@contextmanager
def _opened(config_path: Path) -> Iterator[Context]:
    context = context_of(config_path)
    try:
        yield context
    finally:
        context.database.close()


@click.group()
def signals() -> None:
    """What partners are told: that somebody has signed out. Whom it is about is never shown.

    \b
    Which partners do not listen:  denizen signals list
    After one has mended its ways: denizen signals retry --all --client library
    """  # noqa: D301 - click wants the backspace itself


@signals.command("list")
@click.option(
    "--state",
    "states",
    type=click.Choice(_STATES),
    multiple=True,
    default=("waiting", "dead"),
    show_default="waiting and dead",
    help="Only these; can be given several times.",
)
@_CLIENT
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most so many."
)
@_JSON
@click.pass_obj
def signals_list(
    config_path: Path, states: Sequence[str], client_id: str | None, limit: int, *, as_json: bool
) -> None:
    """Show signals, the oldest first, with what went wrong last."""
    from idp.signals import outbox

    with _opened(config_path) as context, context.database.reading() as session:
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
    when = datetime.fromtimestamp(one.created_at, UTC).strftime("%Y-%m-%d %H:%M")
    line = (
        f"{one.id}  {one.kind:<8}{one.state:<9}{when}  {one.client_id:<24}tried {one.attempts}  {one.trouble}"
    )
    return line.rstrip()


@signals.command("retry", context_settings=BY_ID)
@_ID
@_ALL
@_CLIENT
@_JSON
@click.pass_obj
def signals_retry(
    config_path: Path, signal_id: str | None, client_id: str | None, *, every: bool, as_json: bool
) -> None:
    """Tell again what was given up."""
    from idp.signals import outbox

    which = _which(signal_id, every=every)
    with _opened(config_path) as context, context.database.transaction() as session:
        done = outbox.retry(session, which, client_id=client_id, now=context.now())
    _report(done, "will be tried again", one=which is not None, as_json=as_json)


@signals.command("drop", context_settings=BY_ID)
@_ID
@_ALL
@_CLIENT
@_JSON
@click.pass_obj
def signals_drop(
    config_path: Path, signal_id: str | None, client_id: str | None, *, every: bool, as_json: bool
) -> None:
    """Give up dead signals, or one that waits."""
    from idp.signals import outbox

    which = _which(signal_id, every=every)
    with _opened(config_path) as context, context.database.transaction() as session:
        done = outbox.drop(session, which, client_id=client_id, now=context.now())
    _report(done, "dropped", one=which is not None, as_json=as_json)


def _which(signal_id: str | None, *, every: bool) -> str | None:
    if (signal_id is None) != every:
        raise click.UsageError("name one signal by its id, or all of them with --all")
    return signal_id


def _report(ids: list[str], what: str, *, one: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ids": ids}))
    else:
        click.echo(f"{len(ids)} {what}.")
    if one and not ids:
        click.echo("There is no such signal in a state for that. See: denizen signals list", err=True)
        raise SystemExit(1)
