"""`denizen witness`: be a witness for other towns' logs, and see what the town's own witnesses have signed."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from idp.settings.log import Witness
    from idp.web.context import Context

_STATE = click.option(
    "--state", required=True, type=click.Path(file_okay=False, path_type=Path), help="The witness's folder."
)
_KEY = click.option(
    "--key", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The witness's key file."
)
#: Seconds; while the log grows, the newest checkpoint is always a little ahead of its signatures.
_KEEPS_UP_WITHIN = 600
_JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def witness() -> None:
    """Watch that other towns' logs only grow, or see who watches this one's.

    \b
    A library that watches:  denizen witness init --name library.example/witness --state DIR --key FILE
                             denizen witness add-log --state DIR "VKEY OF THE TOWN'S LOG"
                             denizen witness serve --state DIR --key FILE --listen 127.0.0.1:8500
    A town that is watched:  denizen witness status

    A witness needs no settings and no database of a town.
    """  # noqa: D301 - click wants the backspace itself


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what an operator can mend into one line."""
    from consent.log.notes import NoteError
    from consent.witness.keys import WitnessKeyError
    from consent.witness.memory import MemoryProblem

    try:
        yield
    except (WitnessKeyError, MemoryProblem, NoteError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the folder'}: {error.strerror}") from None


@witness.command("init")
@click.option(
    "--name",
    required=True,
    help="Who the witness is, like an address without https://: library.example/witness",
)
@click.option(
    "--algorithm",
    type=click.Choice(["ed25519", "ml-dsa-44"]),
    default="ed25519",
    show_default=True,
    help="ml-dsa-44 stands against quantum computers; not everybody can check it yet.",
)
@_STATE
@_KEY
def witness_init(name: str, algorithm: str, state: Path, key: Path) -> None:
    """Make a key and an empty memory, and print the verifier key for the towns that are to be watched."""
    from consent.log.verifiers import is_key_name
    from consent.witness import keys
    from consent.witness.memory import Memory

    if not is_key_name(name):
        raise click.UsageError("a name has neither spaces nor a plus sign")
    with _explained():
        if key.exists():
            raise keys.WitnessKeyError(f"{key} is there already, and a key is never overwritten.")
        Memory(state).create()
        click.echo(keys.create(key, name=name, algorithm=algorithm))


@witness.command("add-log")
@_STATE
@click.argument("vkey")
def witness_add_log(state: Path, vkey: str) -> None:
    """Watch one more log, or a further key of one; a running witness knows it at once."""
    from consent.witness.memory import Memory, log_name

    with _explained():
        is_new = Memory(state).add_log(vkey.strip())
        click.echo(f"{log_name(vkey.strip())} is {'watched' if is_new else 'watched already'}.")


@witness.command("logs")
@_STATE
@_JSON
def witness_logs(state: Path, *, as_json: bool) -> None:
    """Show the logs that are watched, with the largest tree of each that was signed for."""
    from consent.witness.memory import Memory

    with _explained():
        memory = Memory(state)
        kept = {one.origin: one for one in memory.kept()}
        known = memory.logs()
    rows = [
        {
            "origin": origin,
            "keys": len(known.get(origin, ())),
            "size": kept[origin].size if origin in kept else 0,
            "at": kept[origin].at if origin in kept else None,
            "checkpoint": kept[origin].note if origin in kept else None,
        }
        for origin in sorted({*known, *kept})
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['origin']}  {row['size']} entries  {_instant(row['at'])}")
    if not rows:
        click.echo("No log is watched yet: denizen witness add-log")


@witness.command("serve")
@_STATE
@_KEY
@click.option("--listen", default="127.0.0.1:8500", show_default=True, help="Address and port.")
def witness_serve(state: Path, key: Path, listen: str) -> None:
    """Answer logs until Ctrl-C or SIGTERM. It speaks plain HTTP: put a proxy with TLS before it."""
    from consent.witness import keys
    from consent.witness.memory import Memory
    from consent.witness.server import WitnessServer
    from consent.witness.service import Witness as Answering
    from idp.settings.section import is_port

    host, _, port = listen.rpartition(":")
    if not host or not (is_port(port) or port == "0"):
        raise click.UsageError("write --listen ADDRESS:PORT, such as 127.0.0.1:8500")
    with _explained():
        memory = Memory(state)
        memory.check()
        memory.logs()
        cosigners = keys.load(key)
        server = WitnessServer(Answering(memory, cosigners, time.time), host.strip("[]"), int(port))
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: threading.Thread(target=server.shutdown).start())
    click.echo(f"The witness {cosigners[0].key.name} listens on {host}:{server.port}.")
    with server:
        server.serve_forever(poll_interval=0.2)


@witness.command("status")
@_JSON
@click.pass_obj
def witness_status(config_path: Path, *, as_json: bool) -> None:
    """Show how far each of the town's witnesses has signed. Exit 1 when too few keep up.

    A witness keeps up that has signed the newest checkpoint, or one within the last ten minutes.
    """
    with opened(config_path) as context:
        size, rows = _standings(context)
        settings = context.settings.log
    is_met = not settings.witnesses or sum(row["keeps_up"] for row in rows) >= settings.quorum
    if as_json:
        told = {"size": size, "quorum": settings.quorum, "is_met": is_met, "witnesses": rows}
        click.echo(json.dumps(told, indent=2))
    else:
        for row in rows:
            click.echo(f"{row['name']}  {row['size']} of {size} entries  {_instant(row['at'])}  {row['url']}")
        click.echo(_verdict(size, len(settings.witnesses), settings.quorum, is_met=is_met))
    if not is_met:
        raise SystemExit(1)


def _standings(context: Context) -> tuple[int, list[dict[str, Any]]]:
    from consent.witness import feeding

    def row(one: Witness) -> dict[str, Any]:
        stands = feeding.standing(session, one.key_name)
        keeps_up = stands.size >= size or stands.at > context.now() - _KEEPS_UP_WITHIN
        return {
            "name": one.name,
            "url": one.url,
            "size": stands.size,
            "at": stands.at or None,
            "keeps_up": keeps_up,
        }

    with context.database.reading() as session:
        size = feeding.newest_size(session)
        return size, [row(one) for one in context.settings.log.witnesses]


def _verdict(size: int, witnesses: int, quorum: int, *, is_met: bool) -> str:
    if not witnesses:
        return "Nobody watches this log: name witnesses under [log] in the settings."
    if not size:
        return "The log is empty."
    return f"{'Enough' if is_met else 'Too few'} of them keep up ({quorum} needed)."


def _instant(at: object) -> str:
    from consent.canonical import moment

    return moment(at) if isinstance(at, int) else "never"
