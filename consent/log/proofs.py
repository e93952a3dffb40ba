"""Proofs that an entry is in the log, to be checked by anybody without the town: C2SP tlog-proof."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select

from consent.executor import Executor
from consent.log.findings import LogDamaged
from consent.log.merkle import (
    HASH_LENGTH,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    verify_inclusion,
)
from consent.log.notes import Checkpoint, open_checkpoint
from consent.log.tiles import TileReader, cosigned, witnessed_size
from consent.models import LogCheckpoint, LogEntry, LogLeaf, table

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_MOST_HASHES: Final = 63
_MAX_LENGTH: Final = 512 * 1024
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_ENTRY, _LEAF, _CHECKPOINT = table(LogEntry), table(LogLeaf), table(LogCheckpoint)
_HEADS = select(
    *(_CHECKPOINT.c[name] for name in ("tree_size", "root", "note", "frontier"))
).execution_options(denizen_prepared=True)
_LATEST = _HEADS.order_by(_CHECKPOINT.c.tree_size.desc()).limit(1)
_AT_SIZE = _HEADS.where(_CHECKPOINT.c.tree_size == bindparam("size"))
_PLACE = (
    select(_LEAF.c.leaf_index, _LEAF.c.leaf_hash)
    .join_from(_ENTRY, _LEAF, _LEAF.c.entry_id == _ENTRY.c.id)
    .where(_ENTRY.c.uid == bindparam("uid"))
    .execution_options(denizen_prepared=True)
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A tlog-proof as it was read, not yet believed: where the entry stands, the path to the root, the note."""

    index: int
    path: tuple[bytes, ...]
    unverified_note: str
    extra: bytes = b""

    def text(self) -> str:
        """The proof as text."""
        lines = [FIRST_LINE]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(one).decode() for one in self.path]
        return "\n".join([*lines, "", self.unverified_note])

    def verify(self, leaf: bytes, *vkeys: str) -> Checkpoint:
        """The signed checkpoint under which ``leaf`` (the entry's bytes, not its hash) is proven to be in the log.

        Raises ValueError if no key of ``vkeys`` signed the checkpoint, or the leaf is not where the proof says.
        Whether enough witnesses signed it, too, is another question: :mod:`consent.log.policy`.
        """
        checkpoint = open_checkpoint(self.unverified_note, *vkeys)
        if not verify_inclusion(leaf_hash(leaf), self.index, checkpoint.size, self.path, checkpoint.root):
            raise ValueError("the proof does not lead from this entry to the root of the checkpoint")
        return checkpoint


def parse(text: str) -> Proof:
    """Read a tlog-proof. Raises ValueError saying what is wrong with it."""
    if len(text) > _MAX_LENGTH:
        raise ValueError("the proof is too long")
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != FIRST_LINE:
        raise ValueError(f"a proof begins with {FIRST_LINE} and has an empty line before its checkpoint")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decoded(lines.pop(0).removeprefix("extra "))
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise ValueError("the proof does not say at which index the entry stands")
    path = tuple(map(_decoded, lines))
    if len(path) > _MOST_HASHES or any(len(one) != HASH_LENGTH for one in path):
        raise ValueError("the proof holds something else than hashes of 32 bytes")
    return Proof(int(index[1]), path, note, extra)


def proof_for(connection: Executor, uid: bytes, *, quorum: int = 1) -> str | None:
    """The tlog-proof for the entry of the row ``uid``; None while it has no place.

    It leads to the newest checkpoint that ``quorum`` witnesses have cosigned, if that covers the entry, else to the
    newest of all. Raises :class:`LogDamaged` rather than give a proof that would not hold.
    """
    place = connection.execute(_PLACE, {"uid": uid}).first()
    if place is None:
        return None
    head = _head_over(connection, place.leaf_index, quorum)
    size, root = head.tree_size, bytes(head.root)
    try:
        edge = Frontier.from_bytes(size, bytes(head.frontier)).hashes
    except ValueError as error:
        raise LogDamaged(f"checkpoint {size}: {error}") from error
    path = inclusion_path(TileReader(connection, size, edge).subtree, place.leaf_index, size)
    if not verify_inclusion(bytes(place.leaf_hash), place.leaf_index, size, path, root):
        raise LogDamaged(f"no path leads from leaf {place.leaf_index} to the root of {size} leaves")
    return Proof(place.leaf_index, tuple(path), cosigned(connection, head.note, size)).text()


def _head_over(connection: Executor, index: int, quorum: int) -> Any:
    witnessed = witnessed_size(connection, quorum=quorum)
    head = connection.execute(_AT_SIZE, {"size": witnessed}).first() if witnessed > index else None
    head = head or connection.execute(_LATEST, {}).first()
    if head is None or head.tree_size <= index:
        raise LogDamaged(f"no checkpoint covers leaf {index}")
    return head


def consistency_for(connection: Executor, old_size: int, size: int) -> list[bytes]:
    """Hashes that prove that the tree of ``size`` leaves, a checkpoint's, begins with that of ``old_size``.

    Raises ValueError unless 0 <= old_size <= size; nothing needs proving about an empty tree.
    """
    if old_size == 0 <= size:
        return []
    return consistency_path(TileReader(connection, size).subtree, old_size, size)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a line of the proof is not base64") from error
