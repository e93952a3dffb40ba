"""Core statements that are built once: marked where they are made, compiled once, run on a cursor of the driver."""

from __future__ import annotations

from collections import namedtuple
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import LargeBinary, bindparam, insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import BindParameter, Dialect, Engine
    from sqlalchemy.sql import Executable
    from sqlalchemy.types import TypeEngine

_Built = TypeVar("_Built", bound="Executable")
PREPARED = "denizen_prepared"
#: By this name also where this module cannot be imported: the log's own INSERT has it.
_QUIET = "denizen_quiet"
_AHEAD = "denizen_ahead"


def prepared(statement: _Built) -> _Built:
    """Mark a Core statement that is built once, at module level: sessions too run it the short way.

    It is compiled once for each database, all its values are bound by name, and its rows are named tuples.
    """
    built: _Built = statement.execution_options(**{PREPARED: True})
    return built


def quiet(statement: _Built) -> _Built:
    """Mark a write of whose outcome nobody asks: a transaction may send it to the server with the ones after it."""
    built: _Built = statement.execution_options(**{_QUIET: True})
    return built


def ahead(statement: _Built) -> _Built:
    """Mark a query that is asked before its answer is needed: a transaction may send it to the server with the next one."""
    built: _Built = statement.execution_options(**{_AHEAD: True})
    return built


def insert_of(model: type[Any], *columns: str) -> Any:
    """A prepared INSERT of these columns; the value of each is bound as `new_<column>`, all others get their default."""
    return prepared(insert(model).values({column: bindparam(f"new_{column}") for column in columns}))


class Statement:
    """A Core statement compiled once: its text, how to order its values, how to read its rows."""

    def __init__(self, statement: Executable, engine: Engine) -> None:
        self.source = statement  # keeps id() valid
        dialect = engine.dialect
        compiled = statement.compile(dialect=_writing_constants(dialect))  # type: ignore[attr-defined]
        self.sql = str(compiled)
        if "POSTCOMPILE" in self.sql:
            raise TypeError("a statement that is built once cannot have a list of values")
        self.names: tuple[str, ...] = tuple(compiled.positiontup or compiled.params)
        self.positional = bool(compiled.positional)
        # Whatever is not known to only read waits for its turn to write, and is not tried again.
        self.writes = not self.sql.startswith("SELECT")
        options = statement.get_execution_options()
        self.is_quiet, self.is_ahead = bool(options.get(_QUIET)), bool(options.get(_AHEAD))
        self.defaults = {n: one.value for one, n in compiled.bind_names.items() if not one.required}
        types = {name: bind.type for bind, name in compiled.bind_names.items()}
        found = ((name, _processor(types[name], dialect, to_driver=True)) for name in self.names)
        self.bind = {name: processor for name, processor in found if processor is not None}
        columns = [column for column in getattr(statement, "exported_columns", ()) if column is not None]
        self.row: Any = namedtuple("Row", [str(c.key) for c in columns]) if columns else None  # noqa: PYI024
        self.result = [
            (index, processor)
            for index, column in enumerate(columns)
            if (processor := _processor(column.type, dialect, to_driver=False)) is not None
        ]

    def values(self, parameters: Mapping[str, Any]) -> Any:
        """Values as the driver takes them: a list where parameters have no names, else a dict."""
        if self.bind:
            parameters = {
                **parameters,
                **{n: p(parameters[n]) for n, p in self.bind.items() if n in parameters},
            }
        if self.defaults:
            parameters = {**self.defaults, **parameters}
        if self.positional:
            return [parameters[name] for name in self.names]
        return parameters

    def run_on(self, cursor: Any, values: Any) -> FastResult:
        """Run it on a cursor of the driver, with what :meth:`values` gave."""
        cursor.execute(self.sql, values)
        return FastResult([], cursor.rowcount) if self.row is None else self.result_of(cursor.fetchall())

    def result_of(self, found: Sequence[Sequence[Any]]) -> FastResult:
        """The result of rows as the driver gives them."""
        rows = self._rows(found)
        return FastResult(rows, len(rows))

    def _rows(self, found: Sequence[Sequence[Any]]) -> list[Any]:
        if not self.result:
            return [self.row._make(row) for row in found]
        rows = []
        for values in found:
            row = list(values)
            for index, processor in self.result:
                row[index] = processor(row[index])
            rows.append(self.row._make(row))
        return rows


@lru_cache(maxsize=4)
def _writing_constants(dialect: Dialect) -> Dialect:
    """The same dialect, whose statements have their constants in the text.

    A partial index (`WHERE state = 'waiting'`) is one of no use to a value that comes later: PostgreSQL would plan such a
    statement at each execution, or without the index, and SQLite compiles it anew at each execution.
    """
    compiler: Any = dialect.statement_compiler

    class Compiler(compiler):  # type: ignore[misc]
        def visit_bindparam(self, bindparam: BindParameter[Any], **how: Any) -> str:
            # `unique`: it has no name of ours, so nobody can give another value.
            if bindparam.unique and not bindparam.expanding and isinstance(bindparam.value, (str, int)):
                written: str = self.render_literal_bindparam(bindparam, **how)
                return written
            named: str = super().visit_bindparam(bindparam, **how)
            return named

    like = copy(dialect)
    like.statement_compiler = Compiler
    return like


def _processor(kind: TypeEngine[Any], dialect: Dialect, *, to_driver: bool) -> Any:
    """What turns a value of this type into one of the driver's, or back; None where they are the same.

    SQLite's driver takes and gives bytes. Nearly every statement has some: they are neither wrapped nor copied.
    """
    if dialect.name == "sqlite" and isinstance(kind, LargeBinary):
        return None
    used = kind.dialect_impl(dialect)
    return used.bind_processor(dialect) if to_driver else used.result_processor(dialect, None)


class FastResult:
    """What a fast statement did: its rows, read at once, and how many it changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def first(self) -> Any:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def all(self) -> list[Any]:
        """Every row."""
        return self._rows

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None


#: What a quiet statement gives back: that it was done, which the end of the transaction makes true.
NOTHING = FastResult([], 1)
