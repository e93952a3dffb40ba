"""Recompute everything the log claims, and name the first thing that is wrong."""

from collections.abc import Sequence

from consent.executor import Executor
from consent.log.findings import Finding, Verification, in_log_order
from consent.log.notes import open_checkpoint
from consent.log.rows import KeyFor, RowCheck
from consent.log.sources import SOURCES, Source
from consent.log.tree import TreeCheck


def inspect(
    connection: Executor,
    *,
    key_for: KeyFor,
    service_key: bytes,
    kept_checkpoint: str | None,
    vkey: str,
    earlier_vkeys: Sequence[str] = (),
    sources: Sequence[Source] = SOURCES,
) -> Verification:
    """Everything :func:`verify` finds, and the counts of what it looked at."""
    vkeys = (vkey, *earlier_vkeys)
    kept = None if kept_checkpoint is None else open_checkpoint(kept_checkpoint, *vkeys)
    tree = TreeCheck(connection, vkeys, kept)
    tree.run()
    rows = RowCheck(connection, key_for, service_key)
    rows.run(sources)
    return Verification(
        findings=in_log_order([*tree.findings, *rows.findings]),
        leaves=tree.leaves,
        pending=tree.pending,
        rows=rows.rows,
        sealed=rows.sealed,
    )


def verify(
    connection: Executor,
    *,
    key_for: KeyFor,
    service_key: bytes,
    kept_checkpoint: str | None,
    vkey: str,
    earlier_vkeys: Sequence[str] = (),
    sources: Sequence[Source] = SOURCES,
) -> list[Finding]:
    """What is wrong with the log and the rows behind it, in the order of the log; empty if nothing is.

    ``key_for`` gives a resident's log key, None once it was destroyed, and raises LookupError for a resident
    who never was. ``kept_checkpoint`` is a note kept outside this database: only it can show that the end
    was cut off cleanly. ``vkey`` is the log's verifier key, ``earlier_vkeys`` those it had before a rotation.
    Raises :class:`consent.log.NoteError` if none of them signed the kept note.
    """
    found = inspect(
        connection,
        key_for=key_for,
        service_key=service_key,
        kept_checkpoint=kept_checkpoint,
        vkey=vkey,
        earlier_vkeys=earlier_vkeys,
        sources=sources,
    )
    return list(found.findings)
