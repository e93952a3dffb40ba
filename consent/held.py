"""Everything that these tables say of one resident: for the copy that they may have (GDPR Art. 15), and for nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import LargeBinary, Table, select

from consent import models
from consent.executor import Executor

_WHOSE = "resident_id"
_BATCH = 500


def tables() -> dict[str, tuple[str, ...]]:
    """The tables that say something of residents, each with the columns that :func:`rows` gives."""
    return {one.name: tuple(column.name for column in _columns(one)) for one in _tables()}


def rows(connection: Executor, resident_id: str, table_name: str) -> Iterator[Mapping[str, Any]]:
    """What one table says of a resident, oldest first, read in batches. Raises KeyError for a table that says nothing."""
    core = {one.name: one for one in _tables()}[table_name]
    found = select(*_columns(core)).where(core.c[_WHOSE] == resident_id).order_by(*core.primary_key.columns)
    for row in connection.execute(found.execution_options(yield_per=_BATCH)):
        yield row._asdict()


def _tables() -> list[Table]:
    return [one for one in models.Base.metadata.sorted_tables if _WHOSE in one.c]


def _columns(core: Table) -> list[Any]:
    """Names in the log and digests say nothing to anybody but us."""
    return [one for one in core.columns if not isinstance(one.type, LargeBinary)]
