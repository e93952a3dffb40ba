"""The sequencer: gives pending entries their place in the tree and signs the new head.

Any number may run at once. The loser of a race meets a taken leaf index and gets
:class:`IntegrationConflict`; its transaction must be rolled back, and nothing is lost.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from consent.executor import Executor
from consent.log.entries import leaf_bytes
from consent.log.merkle import Frontier, leaf_hash
from consent.log.notes import Checkpoint, NoteSigner, open_checkpoint, sign_checkpoint
from consent.models import LogCheckpoint, LogEntry, LogLeaf, table

# PostgreSQL hands out ids before commit, so an id may turn up after a larger one. A gap is waited for this
# long, in seconds; no transaction of ours lives a fraction of it. A sweep catches what would come later still.
SETTLE_FOR: Final = 120

_ENTRY, _LEAF, _CHECKPOINT = table(LogEntry), table(LogLeaf), table(LogCheckpoint)
_LATEST = select(_CHECKPOINT).order_by(_CHECKPOINT.c.tree_size.desc()).limit(1)
_PENDING = (
    select(_ENTRY.c.id, _ENTRY.c.kind, _ENTRY.c.hour, _ENTRY.c.commitment)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_LEAF.c.entry_id.is_(None), _ENTRY.c.id > bindparam("after"))
    .order_by(_ENTRY.c.id)
    .limit(bindparam("limit"))
)
_BETWEEN = (
    select(_ENTRY.c.id, _ENTRY.c.at)
    .where(_ENTRY.c.id > bindparam("after"), _ENTRY.c.id <= bindparam("until"))
    .order_by(_ENTRY.c.id)
)
_INSERT_LEAF = insert(_LEAF)
_INSERT_CHECKPOINT = insert(_CHECKPOINT)


class IntegrationConflict(Exception):
    """Another sequencer was faster; roll back and try again later."""


class LogDamaged(Exception):
    """The stored head contradicts itself; signing on top of it would hide the damage. Run the verifier."""


def latest_checkpoint(connection: Executor) -> str | None:
    """The newest signed note, to publish or to keep; None while the log is empty."""
    row = connection.execute(_LATEST, {}).first()
    return None if row is None else str(row.note)


def integrate(
    connection: Executor,
    signer: NoteSigner,
    *,
    origin: str,
    now: int,
    limit: int = 1000,
    sweep: bool = False,
    earlier_vkeys: Sequence[str] = (),
) -> Checkpoint | None:
    """Integrate up to ``limit`` pending entries, in id order, and sign the new head; None if none wait.

    ``sweep`` looks for pending entries from the very beginning instead of behind the settled ones: slow on
    a large log, meant for a daily run. ``earlier_vkeys`` are the log's keys before the last rotation. Raises :class:`IntegrationConflict` and :class:`LogDamaged`.
    """
    head, settled_id = _head(connection, origin, (signer.vkey, *earlier_vkeys))
    after = 0 if sweep else settled_id
    pending = connection.execute(_PENDING, {"after": after, "limit": limit}).all()
    if not pending:
        return None
    leaves = _grow(head, pending)
    checkpoint = sign_checkpoint(signer, origin=origin, size=head.size, root=head.root())
    last_id = max(settled_id, pending[-1].id)
    try:
        connection.execute(_INSERT_LEAF, leaves)
        settled_id = settled_id if sweep else _settled(connection, settled_id, pending, last_id, now)
        connection.execute(
            _INSERT_CHECKPOINT,
            {
                "tree_size": head.size,
                "root": checkpoint.root,
                "note": checkpoint.note,
                "frontier": head.to_bytes(),
                "settled_id": settled_id,
                "at": now,
            },
        )
    except IntegrityError as error:
        raise IntegrationConflict("another sequencer has integrated these entries") from error
    return checkpoint


def _head(connection: Executor, origin: str, vkeys: Sequence[str]) -> tuple[Frontier, int]:
    """The frontier of the last checkpoint, proven against its own signature, and its settled id."""
    row = connection.execute(_LATEST, {}).first()
    if row is None:
        return Frontier(), 0
    try:
        signed = open_checkpoint(row.note, *vkeys)
        frontier = Frontier.from_bytes(row.tree_size, row.frontier)
    except ValueError as error:
        raise LogDamaged(f"checkpoint {row.tree_size}: {error}") from error
    if (signed.origin, signed.size, signed.root) != (origin, row.tree_size, frontier.root()):
        raise LogDamaged(f"checkpoint {row.tree_size} does not say what was signed")
    return frontier, row.settled_id


def _grow(frontier: Frontier, pending: Sequence[Any]) -> list[dict[str, Any]]:
    """Push the entries onto ``frontier``; their rows for the table of leaves."""
    rows = []
    for entry in pending:
        hashed = leaf_hash(leaf_bytes(entry.kind, entry.hour, entry.commitment))
        rows.append({"leaf_index": frontier.size, "entry_id": entry.id, "leaf_hash": hashed})
        frontier.push(hashed)
    return rows


def _settled(connection: Executor, settled_id: int, pending: Sequence[Any], last_id: int, now: int) -> int:
    """The id up to which no pending entry can turn up any more."""
    if last_id - settled_id == len(pending):
        return last_id  # no gap: the usual case, and always so on SQLite
    for entry_id, at in connection.execute(_BETWEEN, {"after": settled_id, "until": last_id}):
        if entry_id != settled_id + 1 and at > now - SETTLE_FOR:
            break
        settled_id = entry_id
    return settled_id
