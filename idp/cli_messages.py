"""`denizen messages` and `denizen letters`: what waits, what is stuck, what goes to the printer; and `denizen worker`."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from idp import cli_outbox
from idp.cli import BY_ID, opened, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from idp.jobs.worker import Worker
    from idp.messaging.outbox import Listed

_STATES = ("waiting", "sent", "expired", "dead", "withheld", "dropped")
_CHANNELS = ("mail", "sms", "letter")


@click.group()
def messages() -> None:
    """Mails, text messages and letters: what waits and what is stuck. Contents and addresses are never shown.

    \b
    What needs a look:       denizen messages list
    After the gateway is up: denizen messages retry --all
    """  # noqa: D301 - click wants the backspace itself


@messages.command("list")
@cli_outbox.states(_STATES)
@click.option("--channel", type=click.Choice(_CHANNELS), help="Only this channel.")
@cli_outbox.LIMIT
@cli_outbox.JSON
@click.pass_obj
def messages_list(
    config_path: Path, states: Sequence[str], channel: str | None, limit: int, *, as_json: bool
) -> None:
    """Show messages, the oldest first, with what went wrong last."""
    from idp.messaging import outbox

    with opened(config_path) as context, context.database.reading() as session:
        found = outbox.listed(session, states, channel, limit)
        counts = outbox.counted(session)
    if as_json:
        totals = [{"channel": one, "state": state, "count": count} for one, state, count in counts]
        click.echo(json.dumps({"messages": [asdict(one) for one in found], "counts": totals}, indent=2))
        return
    for one in found:
        click.echo(_line(one))
    click.echo(
        "; ".join(f"{count} {channel} {state}" for channel, state, count in counts) or "There are none."
    )


def _line(one: Listed) -> str:
    when = cli_outbox.instant(one.created_at)
    return (
        f"{one.id}  {one.channel:<7}{one.state:<9}{when}  {one.name:<24}tried {one.attempts}  {one.trouble}"
    ).rstrip()


@messages.command("retry", context_settings=BY_ID)
@click.argument("message_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every dead message that is worth sending still.")
@cli_outbox.JSON
@click.pass_obj
def messages_retry(config_path: Path, message_id: str | None, *, every: bool, as_json: bool) -> None:
    """Send dead messages again, unless they are out of date."""
    from idp.messaging import outbox

    which = cli_outbox.which(message_id, "message", every=every)
    with opened(config_path) as context, context.database.transaction() as session:
        done = outbox.retry(session, which, now=context.now())
    cli_outbox.report(done, "will be tried again", "message", one=which is not None, as_json=as_json)


@messages.command("drop", context_settings=BY_ID)
@click.argument("message_id", required=False)
@click.option("--all", "every", is_flag=True, help="Every dead message.")
@cli_outbox.JSON
@click.pass_obj
def messages_drop(config_path: Path, message_id: str | None, *, every: bool, as_json: bool) -> None:
    """Give up dead messages, or one that waits. What they say is erased."""
    from idp.messaging import outbox

    which = cli_outbox.which(message_id, "message", every=every)
    with opened(config_path) as context, context.database.transaction() as session:
        done = outbox.drop(session, which, now=context.now())
    cli_outbox.report(done, "dropped", "message", one=which is not None, as_json=as_json)


@click.group()
def letters() -> None:
    """Letters for the printer."""


@letters.command("batch")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for the PDF and its list; only this account should read it.",
)
@cli_outbox.JSON
@click.pass_obj
def letters_batch(config_path: Path, folder: Path, *, as_json: bool) -> None:
    """Make one PDF of every letter that waits, with a list that names nobody, and mark them as sent.

    A run that was cut off is made again with the same number: throw an earlier print of that number away.
    """
    from idp.messaging.letters import make_batch
    from idp.paper import PaperProblem

    try:
        with opened(config_path) as context:
            made = make_batch(context, folder, now=context.now())
    except (PaperProblem, OSError) as error:
        raise click.ClickException(f"The letters wait on: {error}") from None
    if as_json:
        told = (
            None if made is None else {**asdict(made), "pdf": str(made.pdf), "manifest": str(made.manifest)}
        )
        click.echo(json.dumps({"batch": told}))
    elif made is None:
        click.echo("No letter waits.")
    else:
        again = ", begun by an earlier run" if made.is_again else ""
        click.echo(f"Batch {made.number}{again}: {made.letters} letters, {made.pages} pages, in {made.pdf}")


@click.command()
@click.pass_obj
def worker(config_path: Path) -> None:
    """Send messages, turn keys, grow the log and clear up, in a process of its own, until Ctrl-C or SIGTERM.

    For towns with `worker = "own"` under [server]. Several may run: each job is done by one of them.
    """
    signal.signal(signal.SIGTERM, _end)  # before the slow part, so that a stop in the first second is a stop
    settings = settings_of(config_path)
    if settings.server.worker != "own":
        raise click.UsageError('serve does this itself. Set [server] worker = "own" first')
    from idp.app import create_worker

    with opened(config_path) as context:
        _work(create_worker(context))


def _end(*_: object) -> None:
    raise SystemExit(0)


def _work(running: Worker) -> None:
    """Work until a signal comes."""
    running.start()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
    finally:
        running.stop()
