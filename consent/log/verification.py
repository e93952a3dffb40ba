"""Recompute everything the log claims, and name the first thing that is wrong."""

from collections.abc import Sequence

from consent.executor import Executor
from consent.log.findings import Finding, Verification, in_log_order
from consent.log.notes import open_checkpoint
from consent.log.rows import FROM_THE_START, KeyFor, RowCheck, joined_after
from consent.log.sources import SOURCES, Source
from consent.log.tree import TreeCheck


def inspect_tree(
    connection: Executor, *, kept_checkpoint: str | None, vkeys: Sequence[str], since: bool = False
) -> Verification:
    """What is wrong with the tree alone: its leaves, tiles, checkpoints. Needs no secret key.

    ``since`` takes what lies before the kept checkpoint from the tiles, once they give its very root.
    """
    kept = None if kept_checkpoint is None else open_checkpoint(kept_checkpoint, *vkeys)
    tree = TreeCheck(connection, vkeys, kept, since=since)
    tree.run()
    return Verification(tuple(tree.findings), tree.leaves, tree.pending, rows=0, sealed=0)


def inspect_rows(
    connection: Executor,
    *,
    key_for: KeyFor,
    service_key: bytes,
    since: int = 0,
    sources: Sequence[Source] = SOURCES,
) -> Verification:
    """What is wrong with the rows behind the log: those whose entries came after the first ``since`` leaves."""
    rows = RowCheck(connection, key_for, service_key)
    rows.run(sources, after=joined_after(connection, since) if since else FROM_THE_START)
    return Verification(tuple(rows.findings), 0, 0, rows.rows, rows.sealed)


def together(tree: Verification, rows: Verification) -> Verification:
    """Both halves of a verification as one."""
    return Verification(
        findings=in_log_order([*tree.findings, *rows.findings]),
        leaves=tree.leaves,
        pending=tree.pending,
        rows=rows.rows,
        sealed=rows.sealed,
    )


def inspect(
    connection: Executor,
    *,
    key_for: KeyFor,
    service_key: bytes,
    kept_checkpoint: str | None,
    vkey: str,
    earlier_vkeys: Sequence[str] = (),
    sources: Sequence[Source] = SOURCES,
    since: bool = False,
) -> Verification:
    """Everything :func:`verify` finds, and the counts of what it looked at.

    With ``since`` only what joined after the kept checkpoint is looked at anew, and the tree before it is proven to
    be the one that was kept. A row that somebody has slipped in beside older ones is found by a full run alone.
    """
    if since and kept_checkpoint is None:
        raise ValueError("there is no kept checkpoint to begin behind")
    vkeys = (vkey, *earlier_vkeys)
    tree = inspect_tree(connection, kept_checkpoint=kept_checkpoint, vkeys=vkeys, since=since)
    size = open_checkpoint(kept_checkpoint, *vkeys).size if since and kept_checkpoint is not None else 0
    rows = inspect_rows(connection, key_for=key_for, service_key=service_key, since=size, sources=sources)
    return together(tree, rows)


def verify(
    connection: Executor,
    *,
    key_for: KeyFor,
    service_key: bytes,
    kept_checkpoint: str | None,
    vkey: str,
    earlier_vkeys: Sequence[str] = (),
    sources: Sequence[Source] = SOURCES,
    since: bool = False,
) -> list[Finding]:
    """What is wrong with the log and the rows behind it, in the order of the log; empty if nothing is.

    ``key_for`` gives a resident's log key, None once it was destroyed, and raises LookupError for a resident
    who never was. ``kept_checkpoint`` is a note kept outside this database: only it can show that the end
    was cut off cleanly. ``vkey`` is the log's verifier key, ``earlier_vkeys`` those it had before a rotation.
    ``since`` is that of :func:`inspect`. Raises :class:`consent.log.NoteError` if none of them signed the kept note.
    """
    found = inspect(
        connection,
        key_for=key_for,
        service_key=service_key,
        kept_checkpoint=kept_checkpoint,
        vkey=vkey,
        earlier_vkeys=earlier_vkeys,
        sources=sources,
        since=since,
    )
    return list(found.findings)
