"""The fast connection to PostgreSQL: prepared statements through libpq, several of them in one turn.

Every turn between the two processes costs as much as the statement itself. So what needs no answer of its own waits for
the next statement that does: the beginning of a transaction, quiet writes and the commit with which they go, and what
is asked ahead. They are sent together, in libpq's pipeline mode (https://www.postgresql.org/docs/current/libpq-pipeline-mode.html).
"""

from __future__ import annotations

import re
import select
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import Binary, errors
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus

from idp.fast import FastConnection
from idp.statements import NOTHING, FastResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from idp.statements import Statement

#: A statement, or the text of one without values; and the values in their order.
_Order = tuple["Statement | bytes", "Sequence[bytes | None]"]

_BEGIN, _COMMIT = b"BEGIN", b"COMMIT"
#: Until the end of the transaction in which it stands.
_UNHURRIED = b"SELECT set_config('synchronous_commit', 'off', true)"
#: What a look-up by a value never needs. A plan is kept for a while, also when it was made while tables were empty or what
#: is known of them was out of date, and each of these then costs more with every resident.
_NEVER = (b"enable_seqscan", b"enable_mergejoin", b"enable_hashjoin")
#: What SQLAlchemy asks is seldom asked twice in one form, and is planned as the server thinks best.
_PLAN_FREELY: tuple[_Order, ...] = tuple((b"SET LOCAL %s TO DEFAULT" % name, ()) for name in _NEVER)
_PLACE = re.compile(r"%(?:\((\w+)\)s|%)")
_DONE = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}


def _raw(text: bytes) -> bytes:
    return bytes.fromhex(text[2:].decode())


#: How values of a type are read, by its number in pg_type; all come as text.
_READ: dict[int, Callable[[bytes], Any]] = {
    16: lambda text: text == b"t",  # bool
    17: _raw,  # bytea
    20: int,  # int8
    21: int,  # int2
    23: int,  # int4
    25: bytes.decode,  # text
    701: float,  # float8
    1043: bytes.decode,  # varchar
    1700: lambda text: Decimal(text.decode()),  # numeric
}


def _written(value: Any) -> bytes | None:
    """A value as text; its type is that of the place where it stands, or of a cast (`bindparam(…, type_=…)`)."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, (int, float)):
        return str(value).encode()
    if isinstance(value, str):
        if "\0" in value:  # libpq would take what stands before it for the whole
            raise errors.DataError("PostgreSQL has no text with a NUL in it")
        return value.encode()
    raw = value.obj if isinstance(value, Binary) else value
    return b"\\x" + bytes(raw).hex().encode()


class PostgresqlConnection(FastConnection):
    """One connection; see `FastConnection`."""

    def _prepare(self, driver: Any) -> None:
        self._pg = driver.pgconn
        self._pg.nonblocking = 0  # what is sent is sent as a whole
        # psycopg prepares nothing of its own: at a rollback it would make the server forget all that is prepared.
        driver.prepare_threshold = None
        self._readable = select.poll()
        self._readable.register(self._pg.socket, select.POLLIN)
        patience = driver.server.patience
        self._patience = None if patience is None else int(patience * 1000)
        self._known: dict[Statement | bytes, bytes] = {}
        self._waiting: list[_Order] = []
        #: By their place among those that wait.
        self._awaited: dict[int, _Awaited] = {}
        self._has_begun = False
        # Where there is nothing but a scan, its cost now seems so high that the server would compile it: a quarter of a
        # second for each.
        switches = (b"SET %s = off" % name for name in (*_NEVER, b"jit"))
        self._pg.send_query(b"; ".join([*switches, *driver.server.limits]))
        self._last()

    def still_works(self) -> bool:
        """A server that ends a connection says so, and its word lies here unread."""
        try:
            while not self.closed and self._readable.poll(0):  # its last words, and then the end
                self._pg.consume_input()
        except errors.OperationalError:
            return False
        return not self.closed

    def _run(self, known: Statement, values: Any) -> FastResult:
        order = _order(known, values)
        if self._open_transaction and not self._has_joined:
            if known.is_quiet:
                self._waiting.append(order)
                return NOTHING
            if known.is_ahead:
                self._waiting.append(order)
                awaited = self._awaited[len(self._waiting) - 1] = _Awaited(known, self._catch_up)
                return awaited
        return _result_of(known, self._send(order))

    def _catch_up(self) -> None:
        if self._waiting:
            self._send_together(self._waiting)

    def _run_unhurried(self, orders: Sequence[tuple[Statement, Any]]) -> list[FastResult]:
        """In a turn of its own, which by itself is a transaction."""
        found = self._turn([(_UNHURRIED, ()), *(_order(*order) for order in orders)])
        return [_result_of(known, result) for (known, _), result in zip(orders, found[1:], strict=True)]

    def _begin(self) -> None:
        if self._open_transaction:
            raise errors.ActiveSqlTransaction("there is a transaction already")
        self._has_begun = False
        self._waiting = [(_BEGIN, ())]
        self._awaited = {}

    def _let_join(self) -> None:
        if not self._open_transaction:
            self._begin()
        self._send_together([*self._waiting, *_PLAN_FREELY])

    def _commit(self) -> None:
        if self._has_joined and self._is_idle():
            return
        if not self._has_begun and self._waiting[-1][0] == _BEGIN:
            self._waiting.clear()  # nothing was done
            return
        found = self._send((_COMMIT, ()))
        if found.command_status != _COMMIT:  # ROLLBACK: a statement before it had failed
            raise errors.InFailedSqlTransaction("a statement of the transaction had failed")

    def _roll_back(self) -> None:
        self._waiting.clear()
        if self._has_begun and not (self._has_joined and self._is_idle()):
            self._pg.send_query(b"ROLLBACK")
            self._last()

    def _is_idle(self) -> bool:
        return bool(self._pg.transaction_status == TransactionStatus.IDLE)

    def _send(self, order: _Order) -> Any:
        """Send what waits, and then this; the result of this, in the terms of libpq."""
        if not self._waiting:
            known, values = order
            self._pg.send_query_prepared(self._name(known), values)
            return self._last()
        return self._send_together([*self._waiting, order])[-1]

    def _send_together(self, orders: Sequence[_Order]) -> list[Any]:
        """Send several in one turn, which may begin a transaction; all their results."""
        awaited = self._awaited
        self._waiting, self._awaited = [], {}
        found = self._turn_again(orders)
        for place, one in awaited.items():
            one.arrive(found[place])
        return found

    def _turn_again(self, orders: Sequence[_Order]) -> list[Any]:
        """A turn; where it begins a transaction and finds the connection lost, once more on a new one."""
        is_the_first, self._has_begun = not self._has_begun, True
        try:
            return self._turn(orders)
        except errors.OperationalError:
            if not is_the_first or orders[-1][0] == _COMMIT or not self.closed:
                raise
        self._connect_again()  # nothing of it can stand: the server was never told to commit
        self._has_begun = True
        return self._turn(orders)

    def _turn(self, orders: Sequence[_Order]) -> list[Any]:
        named = [(self._name(known), values) for known, values in orders]
        pg = self._pg
        pg.enter_pipeline_mode()
        try:
            for name, values in named:
                pg.send_query_prepared(name, values)
            pg.pipeline_sync()
            found = list(self._results(len(named)))
        finally:
            if not self.closed:
                pg.exit_pipeline_mode()
        for one in found:
            self._checked(one)
        return found

    def _results(self, count: int) -> Iterator[Any]:
        """One result for each statement of the pipeline; reads its end, too."""
        for _ in range(count):
            result = self._next()
            yield result
            while result is not None:
                result = self._next()
        self._next()

    def _last(self) -> Any:
        """The last result of what was sent outside a pipeline."""
        found = result = self._next()
        while result is not None:
            found, result = result, self._next()
        return self._checked(found)

    def _next(self) -> Any:
        """What comes next. To wait for it inside libpq would stop every other thread of this process, and know no end."""
        pg = self._pg
        while pg.is_busy():
            if not self._readable.poll(self._patience):
                self._driver.give_up()
            pg.consume_input()
        return pg.get_result()

    def _name(self, known: Statement | bytes) -> bytes:
        """The name under which the server knows a statement; it is prepared at its first use on this connection."""
        name = self._known.get(known)
        if name is None:
            name = b"s%d" % len(self._known)
            self._pg.send_prepare(name, known if isinstance(known, bytes) else _numbered(known))
            self._last()
            self._known[known] = name
        return name

    def _checked(self, result: Any) -> Any:
        """A result, unless the server refused; then its error, as psycopg knows it."""
        if result is not None and result.status in _DONE:
            return result
        if (
            result is None or result.error_field(DiagnosticField.SQLSTATE) is None
        ):  # libpq's own words, not the server's
            raise errors.OperationalError("the connection to the database was lost")
        raise errors.error_from_result(result)


class _Awaited(FastResult):
    """A result that comes with a later turn; whoever reads it before then brings that about."""

    __slots__ = ("_catch_up", "_has_come", "_known")

    def __init__(self, known: Statement, catch_up: Callable[[], None]) -> None:
        super().__init__([], 0)
        self._known, self._catch_up, self._has_come = known, catch_up, False

    def arrive(self, found: Any) -> None:
        """Take the result, in the terms of libpq."""
        rows = self._known.result_of(_rows_of(found)).all()
        self._rows, self.rowcount, self._has_come = rows, len(rows), True

    def all(self) -> list[Any]:
        """Every row."""
        if not self._has_come:
            self._catch_up()
        if not self._has_come:
            raise errors.InterfaceError("the transaction ended before this was answered")
        return super().all()

    def first(self) -> Any:
        """The first row, or None."""
        return next(iter(self.all()), None)

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        return next((row[0] for row in self.all()), None)


def _numbered(known: Statement) -> bytes:
    """The text of a statement with its parameters as libpq wants them: $1 is the first of its names."""
    numbers = {name: f"${number}" for number, name in enumerate(known.names, 1)}
    return _PLACE.sub(lambda found: numbers[found[1]] if found[1] else "%", known.sql).encode()


def _order(known: Statement, values: Any) -> _Order:
    return known, [_written(values[name]) for name in known.names]


def _result_of(known: Statement, found: Any) -> FastResult:
    if known.row is None:
        return FastResult([], found.command_tuples or 0)
    return known.result_of(_rows_of(found))


def _rows_of(result: Any) -> list[list[Any]]:
    columns = [_READ[result.ftype(column)] for column in range(result.nfields)]
    value = result.get_value
    return [
        [
            None if (found := value(row, column)) is None else read(found)
            for column, read in enumerate(columns)
        ]
        for row in range(result.ntuples)
    ]
