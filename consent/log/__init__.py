"""The append-only Merkle log of a town.

Owns: entries written beside the thing they commit to, their order in one tree, signed checkpoints, and
    the recomputation that finds what was edited, deleted, truncated, reordered, back-dated or never logged.
Leaves to others: the keys, when the sequencer runs, and publishing the tree.
Others may import: the names below, and :mod:`consent.log.merkle`, :mod:`consent.log.notes`,
    :mod:`consent.log.proofs` and :mod:`consent.log.tiles`.

A leaf holds no personal data. Its commitment is keyed by an *opening*, and the opening by the resident's
own key: destroying that key leaves the tree valid and the leaf forever unreadable.
"""

from consent.log.entries import append, commitment, leaf_bytes, new_uid, opening, row_record
from consent.log.findings import Finding, LogDamaged, Verification
from consent.log.merkle import (
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from consent.log.notes import Checkpoint, NoteError, NoteSigner, open_checkpoint
from consent.log.sequencer import (
    IntegrationConflict,
    has_pending,
    has_stragglers,
    integrate,
    is_alone,
    lag,
    latest_checkpoint,
    published_checkpoint,
)
from consent.log.sources import SOURCES, Source
from consent.log.verification import inspect, inspect_rows, inspect_tree, together, verify

__all__ = [
    "SOURCES",
    "Checkpoint",
    "Finding",
    "Frontier",
    "IntegrationConflict",
    "LogDamaged",
    "NoteError",
    "NoteSigner",
    "Source",
    "Verification",
    "append",
    "commitment",
    "consistency_path",
    "has_pending",
    "has_stragglers",
    "inclusion_path",
    "inspect",
    "inspect_rows",
    "inspect_tree",
    "integrate",
    "is_alone",
    "lag",
    "latest_checkpoint",
    "leaf_bytes",
    "leaf_hash",
    "new_uid",
    "open_checkpoint",
    "opening",
    "published_checkpoint",
    "root_hash",
    "row_record",
    "together",
    "verify",
    "verify_consistency",
    "verify_inclusion",
]
