"""Where the log stands: its head, what waits, when it was last verified, and whether it grew out of a kept checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from consent import acts, models
from consent.log import LogDamaged, leaf_bytes
from consent.log.merkle import verify_consistency
from consent.log.notes import open_checkpoint
from consent.log.proofs import consistency_for
from consent.log.tiles import cosigned

if TYPE_CHECKING:
    from consent.acts import Act
    from consent.executor import Executor
    from consent.log import Verification

LOG_VERIFIED = "log_verified"
_CHECKPOINT, _ENTRY = models.table(models.LogCheckpoint), models.table(models.LogEntry)
_LEAF, _COSIGNATURE = models.table(models.LogLeaf), models.table(models.LogCosignature)
_NEWEST = select(_CHECKPOINT).order_by(_CHECKPOINT.c.tree_size.desc()).limit(1)
_WAITING = (
    select(func.count().label("number"), func.min(_ENTRY.c.at).label("oldest_at"))
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id, isouter=True)
    .where(_ENTRY.c.id > bindparam("settled_id"), _LEAF.c.entry_id.is_(None))
)
_WITNESSED = (
    select(_COSIGNATURE.c.name, _COSIGNATURE.c.tree_size, _COSIGNATURE.c.at)
    .where(_COSIGNATURE.c.tree_size <= bindparam("size"))
    .order_by(_COSIGNATURE.c.tree_size.desc(), _COSIGNATURE.c.name)
    .limit(50)
)


_OF_UID = select(_ENTRY.c.kind, _ENTRY.c.hour, _ENTRY.c.commitment).where(_ENTRY.c.uid == bindparam("uid"))


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A witness's newest word: on which size, and when it came."""

    name: str
    tree_size: int
    at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The head of the log with its cosignatures, what waits for a place, and the newest verification on record."""

    size: int
    note: str
    signed_at: int | None
    witnesses: tuple[Witnessed, ...]
    waiting: int
    waiting_since: int | None
    verified: Act | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What a kept checkpoint shows: ``trouble`` is empty where the log still begins with what it stood for.

    ``trouble`` is one of: unreadable (no note that a key of ours signed), origin, longer, different.
    """

    trouble: str
    kept_size: int = 0
    size: int = 0


def standing(connection: Executor) -> Standing:
    """Where the log stands now."""
    head = connection.execute(_NEWEST, {}).first()
    size, settled_id = (head.tree_size, head.settled_id) if head else (0, 0)
    waiting = connection.execute(_WAITING, {"settled_id": settled_id}).one()
    newest: dict[str, Witnessed] = {}
    for row in connection.execute(_WITNESSED, {"size": size}):
        newest.setdefault(row.name, Witnessed(row.name, row.tree_size, row.at))
    return Standing(
        size,
        cosigned(connection, head.note, size) if head else "",
        head.at if head else None,
        tuple(newest.values()),
        waiting.number,
        waiting.oldest_at,
        next(iter(acts.of_kind(connection, LOG_VERIFIED, limit=1)), None),
    )


def leaf_of(connection: Executor, uid: bytes) -> bytes | None:
    """What the log says of a row to the world: the bytes of its leaf; None for a row that it does not know."""
    row = connection.execute(_OF_UID, {"uid": uid}).first()
    return None if row is None else leaf_bytes(row.kind, row.hour, row.commitment)


def record_verification(connection: Executor, *, log_key: bytes, found: Verification, now: int) -> None:
    """Record that the whole log was verified, with what was counted and found."""
    details = {
        "leaves": found.leaves,
        "pending": found.pending,
        "rows": found.rows,
        "sealed": found.sealed,
        "findings": len(found.findings),
        "first": found.findings[0].what if found.findings else "",
    }
    acts.record(connection, log_key=log_key, kind=LOG_VERIFIED, actor=acts.TOWN, details=details, now=now)


def compare(connection: Executor, unverified_note: str, *vkeys: str) -> Compared:
    """Whether the log as it stands begins with the tree of a checkpoint kept elsewhere (RFC 9162 §2.1.4).

    The proof is made from the stored hashes and checked as a stranger would check it, between the two signed roots.
    """
    try:
        kept = open_checkpoint(unverified_note, *vkeys)
    except ValueError:
        return Compared("unreadable")
    head = connection.execute(_NEWEST, {}).first()
    if head is None or head.tree_size < kept.size:
        return Compared("longer", kept.size, head.tree_size if head else 0)
    now = open_checkpoint(head.note, *vkeys)
    if kept.origin != now.origin:
        return Compared("origin", kept.size, now.size)
    try:
        path = consistency_for(connection, kept.size, now.size)
        agrees = not kept.size or verify_consistency(kept.size, now.size, path, kept.root, now.root)
    except (ValueError, LogDamaged):
        agrees = False
    return Compared("" if agrees else "different", kept.size, now.size)
