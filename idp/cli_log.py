"""`denizen log`: keep a checkpoint, verify the log, prove an entry, carry the whole of it away."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import text

from idp.cli import explained, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from consent.log import Verification
    from idp.db import Database
    from idp.web.context import Context

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
#: From so many leaves on, tree and rows are verified by a process each.
_LARGE = 200_000


@click.group()
def log() -> None:
    """The log that nobody can quietly rewrite."""


@log.command("checkpoint")
@click.pass_obj
def checkpoint(config_path: Path) -> None:
    """Print the newest signed checkpoint. Keep it elsewhere: it shows later whether anything was cut off."""
    from consent.log import latest_checkpoint
    from idp.upkeep import integrate_log

    with opened(config_path) as context:
        integrate_log(context, now=context.now())
        with context.database.reading() as session:
            note = latest_checkpoint(session)
    click.echo(note or "The log is empty.", nl=note is None)


@log.command("verify")
@click.option(
    "--checkpoint",
    "kept",
    type=_FILE,
    help="A checkpoint kept from earlier; without one, a log that was cut off cannot be told.",
)
@click.option(
    "--since", type=_FILE, help="Like --checkpoint, and look only at what came after it: takes moments."
)
@click.option("--export", "folder", type=_FOLDER, help="An exported or downloaded log: needs no database.")
@click.option(
    "--vkey", help="With --export: the log's verifier key, or a file with it; by default the export's."
)
@click.option(
    "--policy", type=_FILE, help="Whose signatures the newest checkpoint must carry (C2SP tlog-policy)."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def verify(  # noqa: PLR0917 - click names them all
    config_path: Path,
    kept: Path | None,
    since: Path | None,
    folder: Path | None,
    vkey: str | None,
    policy: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Recompute the whole log and compare it with every record. Exit 1 when something was tampered with."""
    if since is not None and (kept is not None or folder is not None):
        raise click.UsageError("--since goes with neither --checkpoint nor --export.")
    if vkey is not None and folder is None:
        raise click.UsageError("--vkey goes with --export: the town knows its own keys.")
    kept_note = _text_of(since or kept)
    with _readable():
        if folder is not None:
            found, note = _exported(folder, vkey, kept_note)
        else:
            found, note = _online(config_path, kept_note, since=since is not None)
    lacking = _lacks_quorum(policy, note)
    _tell(found, lacking, as_json=as_json)
    if found.findings or lacking:
        raise SystemExit(1)


@log.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--with-records",
    is_flag=True,
    help="Also every record and what opens it: personal data, for a court alone.",
)
@click.pass_obj
def export(config_path: Path, folder: Path, with_records: bool) -> None:  # noqa: FBT001
    """Write the log to a new FOLDER as it is published, to keep elsewhere or to hand to an auditor."""
    from consent import log as consent_log
    from consent.log import export as exporting
    from idp.published_log import policy_of
    from idp.upkeep import note_signers

    with opened(config_path) as context, snapshot(context.database) as session, _readable():
        note = consent_log.published_checkpoint(session)
        if note is None:
            raise click.ClickException("The log is empty.")
        signer, earlier = note_signers(session, context)
        vkeys = [signer.vkey, *earlier]
        size = consent_log.open_checkpoint(note, *vkeys).size
        _new_folder(folder)
        exporting.export_tree(session, folder, size)
        count = 0
        if with_records:
            keys = {"key_for": _log_keys(context, session), "service_key": context.vault.subkey("log")}
            count = exporting.export_records(session, folder, size, **keys)
        (folder / "vkey").write_text("".join(f"{one}\n" for one in vkeys), encoding="utf-8")
        (folder / "policy").write_text(policy_of(context, vkeys), encoding="utf-8")
        (folder / "checkpoint").write_text(note, encoding="utf-8")  # last: with it, the export is whole
    click.echo(f"{size} entries" + (f", {count} records" if with_records else "") + f" in {folder}")
    if with_records:
        click.echo(
            "The folder records/ holds personal data and what opens it. Only its owner can read it.", err=True
        )


@log.command("prove")
@click.argument("entry")
@click.pass_obj
def prove(config_path: Path, entry: str) -> None:
    """Print the proof (C2SP tlog-proof) that ENTRY is in the log: a row's uid, or the id of a receipt."""
    from consent.log import proofs
    from idp.upkeep import integrate_log

    try:
        uid = bytes.fromhex(entry.rstrip("/").rpartition("/")[2].replace("-", ""))
    except ValueError:
        raise click.ClickException("An entry is named by 32 hexadecimal digits.") from None
    with opened(config_path) as context:
        integrate_log(context, now=context.now())
        with snapshot(context.database) as session, _readable():
            found = proofs.proof_for(session, uid, quorum=max(1, context.settings.log.quorum))
    if found is None:
        raise click.ClickException("The log has no such entry, or it still waits for its place.")
    click.echo(found, nl=False)


@contextmanager
def snapshot(database: Database) -> Iterator[Session]:
    """A session that sees one state of the database all along, whatever is written meanwhile."""
    with database.reading() as session:
        session.connection()  # in one transaction, in which SQLite's readers see one state
        if not database.is_sqlite:
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield session


def tree_half(url: str, kept: str | None, vkeys: Sequence[str], since: bool) -> Verification:  # noqa: FBT001
    """Verify the tree; in a process of its own where the log is large. It needs no secret key."""
    from consent.log import inspect_tree
    from idp.db import Database

    database = Database(url, checkpoints=False)
    try:
        with snapshot(database) as session:
            return inspect_tree(session, kept_checkpoint=kept, vkeys=vkeys, since=since)
    finally:
        database.close()


def _online(config_path: Path, kept: str | None, *, since: bool) -> tuple[Verification, str | None]:
    from consent.audit.standing import record_verification
    from consent.log import open_checkpoint, published_checkpoint
    from idp.upkeep import note_signers

    with opened(config_path) as context:
        with context.database.reading() as session:
            signer, earlier = note_signers(session, context)
            note = published_checkpoint(session)
        vkeys = [signer.vkey, *earlier]
        size = 0 if note is None else open_checkpoint(note, *vkeys).size
        before = open_checkpoint(kept, *vkeys).size if since and kept is not None else 0
        found = _both_halves(context, kept, vkeys, before, alone=size - before < _LARGE)
        if not since:
            service_key = context.vault.subkey("log")
            with context.database.transaction() as session:
                record_verification(session, log_key=service_key, found=found, now=context.now())
    return found, note


def _both_halves(
    context: Context, kept: str | None, vkeys: Sequence[str], since: int, *, alone: bool
) -> Verification:
    """Tree and rows, one after the other or, where that takes long, at the same time."""
    from consent.log import inspect_rows, together

    tree = (context.settings.database.url, kept, vkeys, since > 0)
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:  # starts nothing before it is asked
        waiting = None if alone else pool.submit(tree_half, *tree)
        with snapshot(context.database) as session:
            keys = {"key_for": _log_keys(context, session), "service_key": context.vault.subkey("log")}
            rows = inspect_rows(session, since=since, **keys)
        return together(tree_half(*tree) if waiting is None else waiting.result(), rows)


def _exported(folder: Path, vkey: str | None, kept: str | None) -> tuple[Verification, str | None]:
    from consent.log.offline import inspect_export

    named = folder / "vkey" if vkey is None else Path(vkey)
    lines = named.read_text(encoding="utf-8").split() if vkey is None or named.is_file() else [vkey]
    found = inspect_export(folder, vkeys=lines, kept_checkpoint=kept)
    if vkey is None:
        click.echo(
            "The key was taken from the export itself: compare it with the one the town has published.",
            err=True,
        )
    return found, _text_of(folder / "checkpoint")


def _lacks_quorum(policy: Path | None, note: str | None) -> bool:
    from consent.log import policy as policies

    if policy is None:
        return False
    with _readable():
        return note is None or not policies.parse(policy.read_bytes()).judge(note).is_met


def _tell(found: Verification, lacks_quorum: bool, *, as_json: bool) -> None:  # noqa: FBT001
    if as_json:
        said = {**asdict(found), "lacks_quorum": lacks_quorum}
        click.echo(json.dumps(said, default=str, indent=2))
        return
    for finding in found.findings:
        click.echo(f"{finding.what}: {finding.table} {finding.row}: {finding.detail}")
    if lacks_quorum:
        click.echo("witnesses: too few of those that the policy names have signed the newest checkpoint")
    click.echo(f"{found.leaves} entries, {found.pending} waiting, {len(found.findings)} findings")


def _text_of(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8")


def _new_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise click.ClickException(f"{folder} is there already: name a new folder.") from None


@contextmanager
def _readable() -> Iterator[None]:
    """Say in one line what could not be read or believed."""
    from consent.log import LogDamaged

    try:
        with explained():
            yield
    except (ValueError, OSError, LogDamaged) as error:
        raise click.ClickException(str(error)) from None


def _log_keys(context: Context, session: Session) -> Any:
    from idp.accounts.models import Resident
    from idp.accounts.service import log_key

    def key_for(resident_id: str) -> bytes | None:
        resident = session.get(Resident, resident_id)
        if resident is None:
            raise LookupError(resident_id)
        return log_key(context.vault, resident)

    return key_for
