"""The database: its connections, `transaction()` and `reading()` for views, and `fast` for the hot endpoints.

SQLite runs in WAL with synchronous=FULL: an acknowledged write is on disk. All writes of the process pass
one lock and begin with BEGIN IMMEDIATE, because a deferred transaction that reads and then writes fails at
once under load. PostgreSQL needs neither.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections import deque
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import NullPool

from idp.fast import SqliteConnection
from idp.gate import step_aside
from idp.statements import PREPARED, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.sql import Executable

    from idp.fast import FastConnection

#: So long, in seconds, a write waits for the one before it without letting another request through instead.
_PATIENCE = 0.02

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
    """A session on one connection. Prepared statements go to the driver itself; SQLAlchemy joins in for all others.

    Most transactions have only prepared ones, and need nothing of SQLAlchemy's.
    """

    def __init__(self, connect: Callable[[], FastConnection]) -> None:
        super().__init__(expire_on_commit=False)
        self._connect = connect

    @cached_property
    def _fast(self) -> FastConnection:
        """Whoever asks nothing of the database needs no connection."""
        return self._connect()

    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """Asked for when SQLAlchemy needs a connection."""
        return self._fast.joined()

    def execute(self, statement: Any, params: Any = None, **more: Any) -> Any:
        """As `Session.execute`; for a prepared statement a `FastResult`, in the transaction and after its own changes."""
        if PREPARED not in statement.get_execution_options():
            return super().execute(statement, params, **more)
        self.flush()
        if self.in_nested_transaction():
            self.connection()  # whose savepoint it is
        return self._fast.execute(statement, params)


class Database:
    """One database, safe to share between threads; connect only after a fork.

    `checkpoints` is False in a second process on the same SQLite file: WAL allows one checkpointer. `answers_within` is
    how many seconds PostgreSQL may take for a statement, so that a request ends with 503 where it would hang; None, for
    commands and jobs, as long as it takes.
    """

    def __init__(
        self, url: str, *, threads: int = 2, checkpoints: bool = True, answers_within: int | None = None
    ) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        self._url = url
        self.engine = _make_engine(url, checkpoints=checkpoints, answers_within=answers_within)
        self.writer: AbstractContextManager[Any] = _Writer() if self.is_sqlite else nullcontext()
        self._local = threading.local()
        self.left_behind: deque[Connection] = deque()
        self._idle: deque[FastConnection] = deque()
        # A thread that has a session may use another connection beside it, and a background job comes on top.
        self._most_idle = 2 * threads + 2
        self._statements: dict[int, Statement] = {}

    def beside(self, *, answers_within: int | None, threads: int = 0) -> Database:
        """The same database for those who have more time: connections have their limits for life, so they get others.

        `threads` of them are at work at the same time, as a rule. SQLite has no such limits, and whoever writes must pass one lock.
        """
        if self.is_sqlite:
            return self
        return Database(self._url, threads=threads, answers_within=answers_within)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that writes: committed at the end of the block, rolled back on an exception."""
        # The right to write comes first: whoever waits for it needs no connection.
        with (
            self.writer,
            self._apart() as connection,
            connection.transaction(),
            _Session(lambda: connection) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; whatever SQLAlchemy would write is rolled back."""
        with ExitStack() as held, _Session(lambda: held.enter_context(self._only_to_read())) as session:
            yield session

    @contextmanager
    def _only_to_read(self) -> Iterator[FastConnection]:
        with self._apart() as connection, connection.reading():
            yield connection

    @property
    def fast(self) -> FastConnection:
        """The thread's own connection in autocommit: one statement, one durable write.

        Ask for it anew after a password was checked: whoever waits for that gives theirs back.
        """
        connection: FastConnection | None = getattr(self._local, "fast", None)
        if connection is None or connection.closed:
            connection = self._local.fast = self._take_up()
        return connection

    @contextmanager
    def _apart(self) -> Iterator[FastConnection]:
        """A connection for one session: the thread's own unless it is at work; `fast` is another one meanwhile."""
        self.give_back()
        connection = self._take_up()
        try:
            yield connection
        finally:
            self._leave(connection)

    def give_back(self) -> None:
        """Leave the thread's own connection to whichever thread needs one next.

        Of the server's many threads few work at a time. That they use the same few connections in turn keeps those,
        and the processes of PostgreSQL behind them, warm.
        """
        connection: FastConnection | None = getattr(self._local, "fast", None)
        if connection is not None and not connection.in_transaction:
            del self._local.fast
            self._leave(connection)

    def _leave(self, connection: FastConnection) -> None:
        if len(self._idle) < self._most_idle and not connection.closed:
            self._idle.append(connection)
        else:
            if connection.closed:  # the server has ended it, or is silent: the others wait in vain, too
                self._close_idle()
            connection.close()

    def _close_idle(self) -> None:
        while True:
            try:
                idle = self._idle.pop()
            except IndexError:
                return
            idle.close()

    def _take_up(self) -> FastConnection:
        """The connection that was given back last, if it still works; else a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if connection.still_works():
                return connection
            connection.close()
        self._close_left_behind()
        if self.is_sqlite:
            return SqliteConnection(self)
        from idp.postgresql import PostgresqlConnection

        return PostgresqlConnection(self)

    def _close_left_behind(self) -> None:
        """Close the connections of threads that have ended."""
        while True:
            try:
                left = self.left_behind.popleft()
            except IndexError:
                return
            left.invalidate()

    def close(self) -> None:
        """Close the calling thread's connection, and those that nobody uses."""
        self.give_back()
        self._close_idle()
        self._close_left_behind()

    def statement(self, statement: Executable) -> Statement:
        """The compiled form of a statement built once at module level."""
        compiled = self._statements.get(id(statement))
        if compiled is None:
            compiled = Statement(statement, self.engine)
            self._statements[id(statement)] = compiled
        return compiled


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
        if not self._lock.acquire(timeout=_PATIENCE):
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


def _make_engine(url: str, *, checkpoints: bool, answers_within: int | None) -> Engine:
    """Without a pool: whoever has a connection keeps it, and `Database` knows who."""
    if not url.startswith("sqlite:"):
        from idp.driver import Server

        engine = create_engine(url, hide_parameters=True, poolclass=NullPool)
        event.listen(engine, "do_connect", Server(answers_within).connect)
        return engine
    engine = create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False}, poolclass=NullPool
    )

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
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:  # it joins in one
            connection.exec_driver_sql("BEGIN")

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
    return isinstance(error, (OperationalError, *drivers))


def is_no_text(error: BaseException) -> bool:
    """Whether PostgreSQL was not even asked, because a value has a NUL in it. SQLite compares it with what there is."""
    psycopg: Any = sys.modules.get("psycopg")
    found: Any = getattr(error, "orig", error)
    return psycopg is not None and isinstance(found, psycopg.DataError) and found.sqlstate is None
