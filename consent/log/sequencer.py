"""The sequencer: gives pending entries their place in the tree and signs the new head.

One runs at a time where callers ask :func:`is_alone` first. Should two run all the same, the loser of the race meets
a taken leaf index and gets :class:`IntegrationConflict`; its transaction must be rolled back, and nothing is lost.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from consent.executor import Executor
from consent.log.entries import leaf_bytes
from consent.log.findings import LogDamaged
from consent.log.merkle import TILE_WIDTH, Frontier, leaf_hash
from consent.log.notes import Checkpoint, NoteSigner, open_checkpoint, sign_checkpoint
from consent.log.tiles import cosigned, witnessed_size
from consent.models import LogCheckpoint, LogEntry, LogLeaf, LogNode, table

# PostgreSQL hands out ids before commit, so an id may turn up after a larger one. A gap is waited for this
# long, in seconds; no transaction of ours lives a fraction of it. A sweep catches what would come later still.
SETTLE_FOR: Final = 120

_ENTRY, _LEAF, _CHECKPOINT = table(LogEntry), table(LogLeaf), table(LogCheckpoint)
_LATEST = select(_CHECKPOINT).order_by(_CHECKPOINT.c.tree_size.desc()).limit(1)
_AT_SIZE = select(_CHECKPOINT).where(_CHECKPOINT.c.tree_size == bindparam("size"))
_PENDING = (
    select(_ENTRY.c.id, _ENTRY.c.kind, _ENTRY.c.hour, _ENTRY.c.commitment)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_LEAF.c.entry_id.is_(None), _ENTRY.c.id > bindparam("after"))
    .order_by(_ENTRY.c.id)
    .limit(bindparam("limit"))
)
# Only what has its leaf: an entry that was committed after the pending ones were read would fill its own gap here.
_BETWEEN = (
    select(_ENTRY.c.id, _ENTRY.c.at)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id)
    .where(_ENTRY.c.id > bindparam("after"), _ENTRY.c.id <= bindparam("until"))
    .order_by(_ENTRY.c.id)
)
_WAITING = (
    select(_ENTRY.c.at)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(
        _LEAF.c.entry_id.is_(None),
        _ENTRY.c.id
        > func.coalesce(
            select(_CHECKPOINT.c.settled_id)
            .order_by(_CHECKPOINT.c.tree_size.desc())
            .limit(1)
            .scalar_subquery(),
            0,
        ),
    )
    .order_by(_ENTRY.c.id)
    .limit(1)
)
_BEHIND = (
    select(_ENTRY.c.id)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_LEAF.c.entry_id.is_(None), _ENTRY.c.id <= bindparam("settled"))
    .limit(1)
)
# Given back by the server when the transaction ends, even if the process was killed.
_ALONE = select(func.pg_try_advisory_xact_lock(0x44454E495A454E))
_INSERT_LEAF = insert(_LEAF)
_INSERT_NODE = insert(table(LogNode))
_INSERT_CHECKPOINT = insert(_CHECKPOINT)


class IntegrationConflict(Exception):
    """Another sequencer was faster; roll back and try again later."""


class Integrated(NamedTuple):
    """What :func:`integrate` did: the head it signed, and how many entries got their place."""

    checkpoint: Checkpoint
    entries: int


def latest_checkpoint(connection: Executor) -> str | None:
    """The newest signed note, to publish or to keep; None while the log is empty."""
    row = connection.execute(_LATEST, {}).first()
    return None if row is None else str(row.note)


def published_checkpoint(connection: Executor, *, quorum: int = 0, since: int = 0) -> str | None:
    """The note to publish, with the cosignatures that witnesses gave it; None while the log is empty.

    It is the newest that ``quorum`` witnesses have cosigned since the instant ``since``; failing that the newest.
    """
    size = witnessed_size(connection, quorum=quorum, since=since) if quorum else 0
    row = connection.execute(_AT_SIZE, {"size": size}).first() if size else None
    row = row or connection.execute(_LATEST, {}).first()
    return None if row is None else cosigned(connection, row.note, row.tree_size)


def lag(connection: Executor, *, now: int) -> int:
    """How long the oldest entry that still waits for its place has done so, in seconds; 0 if none waits."""
    at = connection.execute(_WAITING, {}).scalar()
    return 0 if at is None else max(0, now - at)


def has_pending(connection: Executor) -> bool:
    """Whether an entry waits for its place; one that only a sweep would find does not count."""
    return connection.execute(_WAITING, {}).first() is not None


def is_alone(connection: Executor) -> bool:
    """PostgreSQL: take the right to integrate until the transaction ends; False while somebody else has it.

    SQLite needs no such thing: whoever has begun to write is alone.
    """
    return bool(connection.execute(_ALONE, {}).scalar())


def has_stragglers(connection: Executor) -> bool:
    """Whether an entry was committed so late that only a sweep would find it: reads every entry, changes nothing."""
    row = connection.execute(_LATEST, {}).first()
    return row is not None and connection.execute(_BEHIND, {"settled": row.settled_id}).first() is not None


def integrate(
    connection: Executor,
    signer: NoteSigner,
    *,
    origin: str,
    now: int,
    limit: int = 1000,
    sweep: bool = False,
    earlier_vkeys: Sequence[str] = (),
) -> Integrated | None:
    """Integrate up to ``limit`` pending entries, in id order, and sign the new head; None if none wait.

    ``sweep`` looks for pending entries from the very beginning instead of behind the settled ones: slow on
    a large log, meant for a daily run. ``earlier_vkeys`` are the log's keys before the last rotation. Raises :class:`IntegrationConflict` and :class:`LogDamaged`.
    """
    head, settled_id = _head(connection, origin, (signer.vkey, *earlier_vkeys))
    after = 0 if sweep else settled_id
    pending = connection.execute(_PENDING, {"after": after, "limit": limit}).all()
    if not pending:
        return None
    leaves, nodes = _grow(head, pending)
    checkpoint = sign_checkpoint(signer, origin=origin, size=head.size, root=head.root())
    last_id = max(settled_id, pending[-1].id)
    try:
        connection.execute(_INSERT_LEAF, leaves)
        if nodes:
            connection.execute(_INSERT_NODE, nodes)
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
    return Integrated(checkpoint, len(pending))


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


def _grow(frontier: Frontier, pending: Sequence[Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Push the entries onto ``frontier``; their rows for the table of leaves, and those above tiles they fill."""
    leaves, nodes = [], []
    for entry in pending:
        hashed = leaf_hash(leaf_bytes(entry.kind, entry.hour, entry.commitment))
        leaves.append({"leaf_index": frontier.size, "entry_id": entry.id, "leaf_hash": hashed})
        if (frontier.size + 1) % TILE_WIDTH:
            frontier.push(hashed)
            continue
        for level, index, above in frontier.push_last_of_tile(hashed):
            nodes.append({"level": level, "node_index": index, "node_hash": above})
    return leaves, nodes


def _settled(connection: Executor, settled_id: int, pending: Sequence[Any], last_id: int, now: int) -> int:
    """The id up to which no pending entry can turn up any more."""
    if last_id - settled_id == len(pending):
        return last_id  # no gap: the usual case, and always so on SQLite
    for entry_id, at in connection.execute(_BETWEEN, {"after": settled_id, "until": last_id}):
        if entry_id != settled_id + 1 and at > now - SETTLE_FOR:
            break
        settled_id = entry_id
    return settled_id
