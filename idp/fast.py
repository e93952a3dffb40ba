"""A connection of the driver, for statements that are built once; SQLAlchemy joins in where it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    from sqlalchemy import Connection, Engine
    from sqlalchemy.sql import Executable

    from idp.statements import FastResult, Statement

    #: A statement built once, and its values by name.
    Order = tuple[Executable, Mapping[str, Any]]


class Home(Protocol):
    """What a connection needs of its database."""

    engine: Engine
    writer: AbstractContextManager[Any]
    #: Connections of threads that have ended, for another to close.
    left_behind: deque[Connection]

    def statement(self, statement: Executable, /) -> Statement:
        """The compiled form of a statement built once."""


class FastConnection:
    """A driver connection of the engine in autocommit, for statements built once.

    It has the `execute(statement, parameters)` of a SQLAlchemy connection, so that the same service
    functions run on either. One thread uses it at a time.
    """

    def __init__(self, database: Home) -> None:
        self._database = database
        self._lock: AbstractContextManager[Any] = database.writer
        self._dbapi: Any = database.engine.dialect.dbapi
        self._open_transaction = False
        self._only_reads = False
        self._has_joined = False
        self._connect()

    def _connect(self) -> None:
        connection = self._database.engine.connect()
        self._driver: Any = connection.connection.driver_connection
        self._connection = connection
        self._prepare(self._driver)

    def _connect_again(self) -> None:
        """Instead of the connection that was lost."""
        self._connection.invalidate()
        self._connect()

    def _prepare(self, driver: Any) -> None:
        """Make a new connection of the driver ready."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the server or a failure ended this connection."""
        return self._driver is None or bool(getattr(self._driver, "closed", False))

    @property
    def in_transaction(self) -> bool:
        """Whether a block of `transaction()` is open."""
        return self._open_transaction

    def still_works(self) -> bool:
        """Whether a connection that nobody used for a while is open, as far as this side has been told."""
        return not self.closed

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> FastResult:
        """Run one statement. Outside `transaction()` a write is durable when this returns."""
        known = self._database.statement(statement)
        values = known.values(parameters or {})
        if known.writes and not self._open_transaction:
            if self._only_reads:
                raise TypeError(f"a session that only reads cannot run: {known.sql}")
            with self._lock:
                return self._execute(known, values)
        return self._execute(known, values)

    @property
    def unhurried(self) -> Unhurried:
        """For writes that need not wait for the disk.

        Everybody sees each of them at once in any case, and the next durable commit takes all earlier ones with it;
        only should the power fail in the next moment, they may be gone.
        """
        return Unhurried(self)

    def _execute_unhurried(self, orders: Sequence[Order]) -> list[FastResult]:
        known = [(self._database.statement(statement), values) for statement, values in orders]
        if self._open_transaction or self._only_reads or not any(one.writes for one, _ in known):
            return [self.execute(*order) for order in orders]
        with self._lock:
            return self._run_unhurried([(one, one.values(values)) for one, values in known])

    def _execute(self, known: Statement, values: Any) -> FastResult:
        try:
            return self._run(known, values)
        except self._dbapi.OperationalError:
            if known.writes or self._open_transaction or self._has_joined or not self.closed:
                raise
            self._connect_again()  # a read outside a transaction survives a restarted server
            return self._run(known, values)

    def _run(self, known: Statement, values: Any) -> FastResult:
        raise NotImplementedError

    def _run_unhurried(self, orders: Sequence[tuple[Statement, Any]]) -> list[FastResult]:
        raise NotImplementedError

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Several writes that belong together: all are durable at the end of the block, or none is."""
        with self._lock:
            self._begin()
            self._open_transaction = True
            try:
                yield self
                self._commit()
            except BaseException:
                self._take_back()
                raise
            finally:
                self._open_transaction = self._has_joined = False

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """Nothing is written in this block.

        Raises:
            TypeError: from `execute`, for a statement that would.
        """
        self._only_reads = True
        try:
            yield self
        finally:
            if self._has_joined:
                self._take_back()
            self._only_reads = self._has_joined = False

    def _take_back(self) -> None:
        """End a transaction without its writes; a connection that cannot do that ends, and they with it."""
        try:
            self._roll_back()
        except self._dbapi.Error:
            self.close()

    def joined(self) -> Connection:
        """The connection as SQLAlchemy's, until the end of the block: in its transaction, which whoever takes it ends."""
        if not self._has_joined:
            self._let_join()
            self._has_joined = True
        return self._connection

    def _let_join(self) -> None:
        """See to it that SQLAlchemy finds a transaction that has begun, or can begin one."""

    def _begin(self) -> None:
        raise NotImplementedError

    def _commit(self) -> None:
        """Unless SQLAlchemy has."""
        raise NotImplementedError

    def _roll_back(self) -> None:
        """Unless SQLAlchemy has."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the connection up; the next use of `Database.fast` makes another."""
        if self._driver is not None:
            self._driver = None
            self._connection.invalidate()

    def __del__(self) -> None:
        """When its thread ends: leave the driver's connection for another thread to close.

        To close it here would end the process. Closing takes the interpreter's lock once more, and up to Python 3.12.4
        that frees the state of a thread of the server that is just ending (python/cpython#119585).
        """
        if getattr(self, "_driver", None) is not None:
            self._database.left_behind.append(self._connection)


class Unhurried:
    """The writes of a connection for which nobody waits; see `FastConnection.unhurried`."""

    def __init__(self, connection: FastConnection) -> None:
        self._connection = connection

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> FastResult:
        """As the connection's own, which inside a transaction it is a part of."""
        return self.execute_all((statement, parameters or {}))[0]

    def execute_all(self, *orders: Order) -> list[FastResult]:
        """Several, none of which needs the answer to another: they go to the server together."""
        return self._connection._execute_unhurried(orders)  # noqa: SLF001


class SqliteConnection(FastConnection):
    """Through a cursor of sqlite3."""

    def _prepare(self, driver: Any) -> None:
        self._cursor: Any = driver.cursor()

    def _run(self, known: Statement, values: Any) -> FastResult:
        return known.run_on(self._cursor, values)

    def _run_unhurried(self, orders: Sequence[tuple[Statement, Any]]) -> list[FastResult]:
        self._cursor.execute("PRAGMA synchronous = NORMAL")
        try:
            return [self._run(*order) for order in orders]
        finally:
            self._cursor.execute("PRAGMA synchronous = FULL")

    def _begin(self) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        if self._driver.in_transaction or not self._has_joined:
            self._cursor.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._driver.in_transaction:
            self._cursor.execute("ROLLBACK")
