"""Compare rows with what the log committed to, in batches."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Select, bindparam, select

from consent.executor import Executor
from consent.log.batches import batches, by_name
from consent.log.entries import HOUR, commitment, row_record
from consent.log.findings import Finding
from consent.log.sources import Source
from consent.models import LogEntry, LogLeaf, table

BATCH: Final = 2000
KeyFor = Callable[[str], bytes | None]
_KEYS_REMEMBERED = 65_536


#: The uid and the id of an entry before all others, and a uid behind all others.
FROM_THE_START: Final = (b"", 0)
_BEYOND: Final = b"\xff" * 17
_ENTRY, _LEAF = table(LogEntry), table(LogLeaf)
_JOINED = (
    select(_LEAF.c.leaf_index, _ENTRY.c.uid, _ENTRY.c.id)
    .join_from(_LEAF, _ENTRY, _ENTRY.c.id == _LEAF.c.entry_id)
    .where(_LEAF.c.leaf_index > bindparam("after"))
    .order_by(_LEAF.c.leaf_index)
    .limit(bindparam("limit"))
)


def joined_after(connection: Executor, size: int) -> tuple[bytes, int]:
    """The uid and the id of an entry, behind which all those lie that joined the tree after its first leaves."""
    first_uid, first_id = _BEYOND, 1 << 62
    # Not by MIN or ORDER BY uid: a planner would walk that index from the log's beginning.
    for batch in batches(connection, _JOINED, "leaf_index", size - 1, limit=BATCH):
        first_uid = min(first_uid, *(bytes(uid) for _, uid, _ in batch))
        first_id = min(first_id, *(entry_id for _, _, entry_id in batch))
    if first_uid == _BEYOND:
        return _BEYOND, first_id
    before = max(0, int.from_bytes(first_uid, "big") - 1)
    return before.to_bytes(len(first_uid), "big"), first_id - 1


class RowCheck:
    """Walks every source once; ``findings`` fill as it goes, ``rows`` and ``sealed`` count."""

    def __init__(self, connection: Executor, key_for: KeyFor, service_key: bytes) -> None:
        self._connection = connection
        self._key_for = lru_cache(maxsize=_KEYS_REMEMBERED)(key_for)
        self._service_key = service_key
        self.findings: list[Finding] = []
        self.rows = self.sealed = 0

    def run(self, sources: Sequence[Source], *, after: tuple[bytes, int] = FROM_THE_START) -> None:
        """Check each source's rows, then look for entries whose row is gone; ``after`` a uid and an entry's id."""
        after_uid, after_id = after
        for source in sources:
            for row in self._rows(source.rows, source.uid, after_uid):
                self.rows += 1
                self._check(source, row)
            for orphan in self._rows(source.orphans, "id", after_id):
                self._found("deleted", source, orphan["uid"].hex(), "its row is gone", orphan["id"])

    def _rows(self, statement: Select[Any], key: str, after: Any) -> Iterator[Mapping[str, Any]]:
        found = batches(self._connection, statement, key, after, limit=BATCH)
        return chain.from_iterable(map(by_name, found))

    def _found(self, what: Any, source: Source, row: str, detail: str, entry_id: int | None) -> None:
        self.findings.append(Finding(what, source.table.name, row, detail, entry_id))

    def _check(self, source: Source, row: Mapping[str, Any]) -> None:
        entry_id = row["entry_id"]
        if entry_id is None:
            self._found("unlogged", source, str(row["id"]), "no log entry speaks of it", None)
            return
        at = row[source.at]
        said = (row["entry_kind"], row["entry_hour"], row["entry_at"])
        if said != (source.kind_of(row), at - at % HOUR, at):
            self._found("edited", source, str(row["id"]), "kind or time differ from its entry", entry_id)
        elif detail := self._unopened(source, row):
            self._found("edited", source, str(row["id"]), detail, entry_id)

    def _unopened(self, source: Source, row: Mapping[str, Any]) -> str:
        """Why the commitment does not open to this row; empty when it does, or can't be opened any more."""
        try:
            key = self._key(row[source.subject] if source.subject else None)
        except LookupError:
            return "no such resident ever was"
        if key is None:
            self.sealed += 1
            return ""
        record = row_record(row, source.columns)
        expected = commitment(key, source.table.name, row[source.uid], record)
        same = hmac.compare_digest(expected, row["entry_commitment"])
        return "" if same else "its content differs from the commitment"

    def _key(self, resident_id: str | None) -> bytes | None:
        return self._service_key if resident_id is None else self._key_for(resident_id)
