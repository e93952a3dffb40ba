"""`denizen log`: keep a checkpoint, verify the log."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import context_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.web.context import Context


@click.group()
def log() -> None:
    """The log that nobody can quietly rewrite."""


@log.command("checkpoint")
@click.pass_obj
def checkpoint(config_path: Path) -> None:
    """Print the newest signed checkpoint. Keep it elsewhere: it shows later whether anything was cut off."""
    from consent.log import latest_checkpoint
    from idp.upkeep import integrate_log

    context = context_of(config_path)
    integrate_log(context, now=context.now())
    with context.database.reading() as session:
        note = latest_checkpoint(session)
    click.echo(note or "The log is empty.", nl=note is None)


@log.command("verify")
@click.option(
    "--checkpoint",
    "kept",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint kept from earlier; without one, a log that was cut off cannot be told.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def verify(config_path: Path, kept: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Recompute the whole log and compare it with every record. Exit 1 when something was tampered with."""
    from consent.log import inspect
    from idp.upkeep import note_signers

    context = context_of(config_path)
    with context.database.reading() as session:
        signer, earlier = note_signers(session, context)
        found = inspect(
            session,
            key_for=_log_keys(context, session),
            service_key=context.vault.subkey("log"),
            kept_checkpoint=kept.read_text(encoding="utf-8") if kept else None,
            vkey=signer.vkey,
            earlier_vkeys=earlier,
        )
    if as_json:
        click.echo(json.dumps(asdict(found), default=str, indent=2))
    else:
        for finding in found.findings:
            click.echo(f"{finding.what}: {finding.table} {finding.row}: {finding.detail}")
        click.echo(f"{found.leaves} entries, {found.pending} waiting, {len(found.findings)} findings")
    if found.findings:
        raise SystemExit(1)


def _log_keys(context: Context, session: Session) -> Any:
    from idp.accounts.models import Resident
    from idp.accounts.service import log_key

    def key_for(resident_id: str) -> bytes | None:
        resident = session.get(Resident, resident_id)
        if resident is None:
            raise LookupError(resident_id)
        return log_key(context.vault, resident)

    return key_for
