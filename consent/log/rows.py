"""Compare rows with what the log committed to, in batches."""

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select

from consent.executor import Executor
from consent.log.entries import HOUR, commitment, row_record
from consent.log.findings import Finding
from consent.log.sources import Source

BATCH: Final = 2000
KeyFor = Callable[[str], bytes | None]
_KEYS_REMEMBERED = 65_536


class RowCheck:
    """Walks every source once; ``findings`` fill as it goes, ``rows`` and ``sealed`` count."""

    def __init__(self, connection: Executor, key_for: KeyFor, service_key: bytes) -> None:
        self._connection = connection
        self._key_for = lru_cache(maxsize=_KEYS_REMEMBERED)(key_for)
        self._service_key = service_key
        self.findings: list[Finding] = []
        self.rows = self.sealed = 0

    def run(self, sources: Sequence[Source]) -> None:
        """Check each source's rows, then look for entries whose row is gone."""
        for source in sources:
            for row in self._pages(source.rows, source.uid, b""):
                self.rows += 1
                self._check(source, row)
            for orphan in self._pages(source.orphans, "id", 0):
                self._found("deleted", source, orphan["uid"].hex(), "its row is gone", orphan["id"])

    def _pages(self, statement: Select[Any], key: str, after: Any) -> Iterator[Mapping[str, Any]]:
        while True:
            page = self._connection.execute(statement, {"after": after, "limit": BATCH}).mappings().all()
            yield from page
            if len(page) < BATCH:
                return
            after = page[-1][key]

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
