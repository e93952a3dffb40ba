"""A table read from one end to the other, so many rows at a time: memory does not grow with it."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select

from consent.executor import Executor


def batches(
    connection: Executor, statement: Select[Any], key: str, after: Any, *, limit: int, **more: Any
) -> Iterator[Sequence[Any]]:
    """The rows of ``statement``, which is in the order of its column ``key``, at most ``limit`` at a time; none is empty.

    ``statement`` takes ``after``, ``limit`` and what ``more`` names.
    """
    while True:
        batch = connection.execute(statement, {"after": after, "limit": limit, **more}).all()
        if batch:
            yield batch
        if len(batch) < limit:
            return
        after = getattr(batch[-1], key)


def by_name(batch: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The rows of a batch by the names of their columns: a dict answers in half the time of a row's own mapping."""
    names = batch[0]._fields
    return (dict(zip(names, row, strict=True)) for row in batch)
