"""What the commands on an outbox have in common: which rows are meant, and what is said when it is done.

Of messages and of signals alike: `denizen messages` and `denizen signals`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
LIMIT = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most so many."
)


def states(known: Sequence[str]) -> Callable[[Any], Any]:
    """`--state`, given as often as one likes; what waits and what is dead when it is not given."""
    return click.option(
        "--state",
        "states",
        type=click.Choice(known),
        multiple=True,
        default=("waiting", "dead"),
        show_default="waiting and dead",
        help="Only these; can be given several times.",
    )


def instant(at: int) -> str:
    """An instant as an operator reads it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def which(row_id: str | None, kind: str, *, every: bool) -> str | None:
    """The row that is meant, or None for all of them; exactly one of both must be said."""
    if (row_id is None) != every:
        raise click.UsageError(f"name one {kind} by its id, or all of them with --all")
    return row_id


def report(ids: list[str], what: str, kind: str, *, one: bool, as_json: bool) -> None:
    """Say what was done; a row that was named and is in no state for it ends the command with 1."""
    if as_json:
        click.echo(json.dumps({"ids": ids}))
    else:
        click.echo(f"{len(ids)} {what}.")
    if one and not ids:
        click.echo(f"There is no such {kind} in a state for that. See: denizen {kind}s list", err=True)
        raise SystemExit(1)
