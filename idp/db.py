"""The database: one engine, `transaction()` for views, and a fast path for the hot endpoints.

SQLite runs in WAL with synchronous=FULL: an acknowledged write is on disk. All writes of the process pass
one lock and begin with BEGIN IMMEDIATE, because a deferred transaction that reads and then writes fails at
once under load. PostgreSQL needs neither.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections import deque
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from idp.gate import step_aside
from idp.statements import NOTHING, PREPARED, FastResult, Statement, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine
    from sqlalchemy.sql import Executable

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table of `idp`."""

    metadata = MetaData(naming_convention=NAMING)


class _Session(Session):
    """A session that hands prepared statements to the driver itself, in its transaction and after its own changes."""

    def __init__(self, database: Database, engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._database = database
        self._cursor: tuple[Any, Any] = (None, None)

    def execute(self, statement: Any, params: Any = None, **more: Any) -> Any:
        """As `Session.execute`; for a prepared statement a `FastResult`."""
        if PREPARED not in statement.get_execution_options():
            return super().execute(statement, params, **more)
        self.flush()
        return self._database.statement(statement).run(self._driver_cursor(), params or {})

    def _driver_cursor(self) -> Any:
        """A cursor of the driver, made once for each transaction."""
        transaction, cursor = self._cursor
        if transaction is None or transaction is not self.get_transaction():
            cursor = self.connection().connection.cursor()
            self._cursor = self.get_transaction(), cursor
        return cursor


class Database:
    """One database, safe to share between threads; connect only after a fork.

    `checkpoints` is False in a second process on the same SQLite file: WAL allows one checkpointer.
    """

    def __init__(self, url: str, *, threads: int = 2, checkpoints: bool = True) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        # Each thread may hold a session and work for a background job comes on top.
        pool = {"pool_size": threads + 4, "max_overflow": 16, "pool_timeout": 5}
        self.engine = _make_engine(url, checkpoints=checkpoints, **pool)
        self.fast_engine = _make_engine(url, checkpoints=checkpoints, poolclass=NullPool)
        self.writer: AbstractContextManager[Any] = _Writer() if self.is_sqlite else nullcontext()
        self._write_engine = self.engine.execution_options(denizen_write=True)
        self._local = threading.local()
        self.left_behind: deque[Any] = deque()
        self._statements: dict[int, Statement] = {}
        self._together: dict[tuple[Statement, ...], str] = {}

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that writes: committed at the end of the block, rolled back on an exception."""
        with self.writer, _Session(self, self._write_engine) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; whatever it would write is rolled back."""
        with _Session(self, self.engine) as session:
            yield session

    @property
    def fast(self) -> FastConnection:
        """The thread's own connection in autocommit: one statement, one durable write."""
        connection: FastConnection | None = getattr(self._local, "fast", None)
        if connection is None or connection.closed:
            self._close_left_behind()
            connection = FastConnection(self)
            self._local.fast = connection
        return connection

    def _close_left_behind(self) -> None:
        """Close the connections of threads that have ended."""
        while True:
            try:
                pooled = self.left_behind.popleft()
            except IndexError:
                return
            pooled.invalidate()

    def close(self) -> None:
        """Close the calling thread's fast connection and every pooled one."""
        connection: FastConnection | None = getattr(self._local, "fast", None)
        if connection is not None:
            connection.close()
            del self._local.fast
        self._close_left_behind()
        self.engine.dispose()

    def statement(self, statement: Executable) -> Statement:
        """The compiled form of a statement built once at module level."""
        compiled = self._statements.get(id(statement))
        if compiled is None:
            compiled = Statement(statement, self.engine)
            self._statements[id(statement)] = compiled
        return compiled

    def together(self, statements: tuple[Statement, ...]) -> str:
        """The text of one statement that does all of these; see `idp.statements.together`."""
        text = self._together.get(statements)
        if text is None:
            text = self._together[statements] = together(statements)
        return text


class _Writer:
    """The right to write in this process: one thread has it at a time, and whoever waits for it stands aside.

    Whoever had to wait goes on at once when its turn has come, and is let through the gate again only afterwards:
    else all writers would wait for one who waits at the gate.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._come_back: Callable[[], None] | None = None

    def __enter__(self) -> None:
        come_back = None
        if not self._lock.acquire(blocking=False):
            come_back = step_aside()
            self._lock.acquire()
        self._depth += 1
        if come_back is not None:
            self._come_back = come_back

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        come_back = None
        if not self._depth:
            come_back, self._come_back = self._come_back, None
        self._lock.release()
        if come_back is not None:
            come_back()


class FastConnection:
    """A driver connection of the engine in autocommit, for statements built once.

    It has the `execute(statement, parameters)` of a SQLAlchemy connection, so that the same service
    functions run on either.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock: AbstractContextManager[Any] = database.writer
        self._dbapi: Any = database.fast_engine.dialect.dbapi
        self._open_transaction = False
        self._waiting: list[tuple[Statement, Any]] = []
        self._connect()

    def _connect(self) -> None:
        """A connection of its own: it is in autocommit, so it must never go back to a pool of sessions."""
        self._pooled = self._database.fast_engine.raw_connection()
        driver: Any = self._pooled.driver_connection
        self._driver = driver
        if not self._database.is_sqlite:
            driver.autocommit = True
            # Plans made while tables are empty are sequential scans, and prepared plans are kept.
            driver.execute("SET enable_seqscan = off")
        self._cursor: Any = driver.cursor()
        self._run: Callable[..., Any] = self._cursor.execute

    @property
    def closed(self) -> bool:
        """Whether the server or a failure ended this connection."""
        return self._driver is None or bool(getattr(self._driver, "closed", False))

    def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> FastResult:
        """Run one statement. Outside `transaction()` a write is committed when this returns."""
        known = self._database.statement(statement)
        values = known.values(parameters or {})
        if known.writes and not self._open_transaction:
            with self._lock:
                return self._execute(known, values)
        if known.is_quiet:
            self._waiting.append((known, values))
            return NOTHING
        if self._waiting:
            self._send()
        return self._execute(known, values)

    def _send(self) -> None:
        """Send what waits as one statement: on PostgreSQL every turn between two processes costs as much as an INSERT."""
        waiting, self._waiting = self._waiting, []
        values = {
            f"q{i}_{name}": one for i, (_, values) in enumerate(waiting) for name, one in values.items()
        }
        self._run(self._database.together(tuple(known for known, _ in waiting)), values)

    def _execute(self, known: Statement, values: Any) -> FastResult:
        try:
            self._run(known.sql, values)
        except self._dbapi.OperationalError:
            if known.writes or self._open_transaction or not self.closed:
                raise
            self._connect()  # a read outside a transaction survives a restarted server
            self._run(known.sql, values)
        return known.result_of(self._cursor)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[FastConnection]:
        """Several writes that belong together: all are durable at the end of the block, or none is.

        Everybody sees them from then on in any case. With `durable=False` nobody waits for the disk: should the power
        fail in the next moment, they may be gone, though never some without the others.
        """
        with self._lock, nullcontext() if durable else self._unhurried():
            self._run("BEGIN IMMEDIATE" if self._database.is_sqlite else "BEGIN")
            self._open_transaction = True
            try:
                if not durable and not self._database.is_sqlite:
                    self._run("SET LOCAL synchronous_commit = off")
                yield self
                if self._waiting:
                    self._send()
                self._run("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._open_transaction = False

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        """SQLite: leave the write to the disk to the next durable commit, which takes all earlier ones with it."""
        if not self._database.is_sqlite:
            yield
            return
        self._run("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            if not self.closed:
                self._run("PRAGMA synchronous = FULL")

    def _roll_back(self) -> None:
        self._waiting.clear()
        try:
            self._run("ROLLBACK")
        except self._dbapi.Error:
            self.close()

    def close(self) -> None:
        """Give the connection up; the next use of `Database.fast` makes another."""
        if self._driver is not None:
            self._driver = None
            self._pooled.invalidate()

    def __del__(self) -> None:
        """When its thread ends: leave the driver's connection for another thread to close.

        To close it here would end the process. Closing takes the interpreter's lock once more, and up to Python 3.12.4
        that frees the state of a thread of the server that is just ending (python/cpython#119585).
        """
        if getattr(self, "_driver", None) is not None:
            self._database.left_behind.append(self._pooled)


def _make_engine(url: str, *, checkpoints: bool, **pool: Any) -> Engine:
    if not url.startswith("sqlite:"):
        return create_engine(url, hide_parameters=True, pool_pre_ping="poolclass" not in pool, **pool)
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",  # a destroyed key lies in no free page
            "recursive_triggers = ON",  # else INSERT OR REPLACE passes the triggers of append-only tables
            "busy_timeout = 5000",
            f"wal_autocheckpoint = {1000 if checkpoints else 0}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        write = connection.get_execution_options().get("denizen_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def is_unavailable(error: BaseException) -> bool:
    """Whether an exception means "the database cannot be used now", to be answered with 503."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    psycopg: Any = sys.modules.get("psycopg")  # imported only where PostgreSQL is used
    drivers = (sqlite3.OperationalError, *((psycopg.OperationalError,) if psycopg else ()))
    # A standby after a failover takes no writes until it is promoted: 25006 read_only_sql_transaction.
    if getattr(getattr(error, "orig", error), "sqlstate", None) == "25006":
        return True
    return isinstance(error, (OperationalError, PoolExhausted, *drivers))
