"""The database: two ways to run a statement that give one result, and transactions that are whole."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    LargeBinary,
    String,
    Text,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    update,
)

from idp import gate as gate_module
from idp.db import Database, is_unavailable
from idp.gate import Gate
from idp.jobs.models import Lease
from idp.postgresql import PostgresqlConnection
from idp.statements import ahead, prepared, quiet
from tests.support.faults import impatient, restart
from tests.support.statements import is_one_waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = table(
    "sample",
    column("id", Integer),
    column("big", BigInteger),
    column("flag", Boolean),
    column("word", String(40)),
    column("long_text", Text),
    column("raw", LargeBinary),
)
#: How the engines say that a key is there already.
TWICE = r"(?i)unique|duplicate"
NAMES = ("id", "big", "flag", "word", "long_text", "raw")
_INSERT = insert(SAMPLE).values({name: bindparam(f"new_{name}") for name in NAMES})
_QUIET_INSERT = quiet(insert(SAMPLE).values({name: bindparam(f"new_{name}") for name in NAMES}))
_PREPARED_INSERT, _PREPARED_QUIETLY = prepared(_INSERT), prepared(_QUIET_INSERT)
_FIND = select(SAMPLE).where(SAMPLE.c.id == bindparam("id_"))
_FROM = bindparam("from_", type_=Integer)
_ALL = select(SAMPLE).order_by(SAMPLE.c.id)
_PREPARED_ALL = prepared(select(SAMPLE.c.id).order_by(SAMPLE.c.id))
_ALL_AHEAD, _FIND_AHEAD, _PREPARED_ALL_AHEAD = ahead(_ALL), ahead(_FIND), ahead(_PREPARED_ALL)
_CHANGE = (
    update(SAMPLE)
    .where(SAMPLE.c.id == bindparam("id_"), SAMPLE.c.flag.is_(None) | SAMPLE.c.flag)
    .values(word=bindparam("word_"))
    .returning(SAMPLE.c.id, SAMPLE.c.flag, SAMPLE.c.raw)
)
_CHANGE_QUIETLY = update(SAMPLE).where(SAMPLE.c.id == bindparam("id_")).values(word="fixed", big=7)
_DELETE = delete(SAMPLE).where(SAMPLE.c.id == bindparam("id_"))
_COUNT = select(func.count().label("number")).select_from(SAMPLE)

_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
values = st.fixed_dictionaries(
    {
        "big": st.none() | st.integers(-(2**63), 2**63 - 1),
        "flag": st.none() | st.booleans(),
        "word": st.none() | st.text(_LETTERS, max_size=40),
        "long_text": st.none() | st.text(_LETTERS, max_size=300),
        "raw": st.none() | st.binary(max_size=100),
    }
)


ON_POSTGRESQL = pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    """A database with one table that has every type in use, all of them nullable."""
    found = Database(empty_database_url)
    raw = "BLOB" if found.is_sqlite else "BYTEA"
    with found.transaction() as session:
        session.execute(
            text(
                "CREATE TABLE sample (id INTEGER PRIMARY KEY, big BIGINT, flag BOOLEAN, word VARCHAR(40), "
                f"long_text TEXT, raw {raw})"
            )
        )
    yield found
    found.close()


def row(number: int, **given_values: Any) -> dict[str, Any]:
    """Parameters of an insert; what is not given is NULL."""
    return {f"new_{name}": given_values.get(name) for name in NAMES} | {"new_id": number}


def both(database: Database, statement: Any, parameters: dict[str, Any] | None = None) -> list[list[Any]]:
    """The rows of a read, as the fast connection and as a session give them."""
    fast = [tuple(one) for one in database.fast.execute(statement, parameters).all()]
    with database.reading() as session:
        return [fast, [tuple(one) for one in session.execute(statement, parameters or {}).all()]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=values)
def test_both_ways_write_and_read_the_same(database: Database, one: dict[str, Any]) -> None:
    """Whatever the types and NULLs: written by either, read by either, equal in value and type."""
    database.fast.execute(_DELETE, {"id_": 1})
    database.fast.execute(_DELETE, {"id_": 2})
    database.fast.execute(_INSERT, row(1, **one))
    with database.transaction() as session:
        session.execute(_INSERT, row(2, **one))
    for number in (1, 2):
        fast, slow = both(database, _FIND, {"id_": number})
        assert fast == slow == [(number, *(one[name] for name in NAMES[1:]))]
        assert [type(value) for value in fast[0]] == [type(value) for value in slow[0]]


def test_rows_have_names_and_counts_alike(database: Database) -> None:
    """`first`, `all`, `rowcount` and the names of columns are those of SQLAlchemy."""
    for number, flag in enumerate((None, True, False)):
        assert database.fast.execute(_INSERT, row(number, flag=flag, raw=b"\x00")).rowcount == 1
    assert database.fast.execute(_FIND, {"id_": 9}).first() is None
    assert database.fast.execute(_FIND, {"id_": 9}).all() == []
    assert database.fast.execute(_FIND, {"id_": 1}).first().flag is True
    assert database.fast.execute(_COUNT).first().number == 3
    assert len(both(database, _ALL)[0]) == 3
    changed = database.fast.execute(_CHANGE, {"id_": 0, "word_": "x"})
    assert (changed.rowcount, changed.first().flag, bytes(changed.first().raw)) == (1, None, b"\x00")
    refused = database.fast.execute(_CHANGE, {"id_": 2, "word_": "x"})
    assert (refused.rowcount, refused.first()) == (0, None)
    assert database.fast.execute(_CHANGE_QUIETLY, {"id_": 2}).rowcount == 1
    assert database.fast.execute(_DELETE, {"id_": 5}).rowcount == 0
    fast, slow = both(database, _ALL)
    assert fast == slow
    assert fast[2][:4] == (2, 7, False, "fixed")


def ids(database: Database) -> list[int]:
    return [one[0] for one in both(database, _ALL)[1]]


def write(opened: Any, *numbers: int, then_fail: bool = False) -> None:
    """Insert rows of these ids in one transaction."""
    with opened as connection:
        for number in numbers:
            connection.execute(_INSERT, row(number, word="Maria Okafor"))
        if then_fail:
            raise RuntimeError


def test_a_transaction_is_whole(database: Database) -> None:
    """Committed at the end of the block; gone after an exception, the fast way and the other."""
    write(database.transaction(), 1, 2)
    write(database.fast.transaction(), 3, 4)
    for opened in (database.transaction(), database.fast.transaction()):
        with pytest.raises(RuntimeError):
            write(opened, 9, then_fail=True)
    assert ids(database) == [1, 2, 3, 4]


def test_a_transaction_whose_statement_fails_leaves_nothing_and_a_working_connection(
    database: Database,
) -> None:
    """The second insert breaks a key, so the first is undone; the next use is as if nothing had been."""
    database.fast.execute(_INSERT, row(1))
    for opened in (database.fast.transaction(), database.transaction()):
        with pytest.raises(Exception, match=TWICE):
            write(opened, 2, 1)
        assert ids(database) == [1]
    database.fast.execute(_INSERT, row(3))
    assert ids(database) == [1, 3]


def test_an_unhurried_write_is_seen_at_once_and_the_next_one_waits_for_the_disk_again(
    database: Database,
) -> None:
    """Only a power failure in the next moment could take it back, and nothing that comes after it."""
    how = (
        "SELECT synchronous FROM pragma_synchronous"
        if database.is_sqlite
        else "SELECT current_setting('synchronous_commit')"
    )
    noting = prepared(
        text(f"UPDATE sample SET word = ({how}) RETURNING word").columns(column("word", String))
    )
    fast = database.fast
    fast.execute(_INSERT, row(1))
    if not database.is_sqlite:  # tests run PostgreSQL without durability
        fast.joined().exec_driver_sql("SET synchronous_commit = on").connection.commit()
    durable = fast.execute(noting).first().word
    assert durable == ("2" if database.is_sqlite else "on")
    assert fast.unhurried.execute(noting).first().word == ("1" if database.is_sqlite else "off")
    assert fast.unhurried.execute(_CHANGE_QUIETLY, {"id_": 1}).rowcount == 1
    assert fast.unhurried.execute(_FIND, {"id_": 1}).first().word == "fixed"
    assert fast.execute(noting).first().word == durable
    with pytest.raises(Exception, match=TWICE):
        fast.unhurried.execute(_INSERT, row(1))
    assert fast.execute(noting).first().word == durable
    fast.unhurried.execute(_QUIET_INSERT, row(2))
    other = Database(database.engine.url.render_as_string(hide_password=False))
    assert ids(other) == [1, 2]
    other.close()


@ON_POSTGRESQL
def test_postgresql_plans_what_is_built_once_for_full_tables_and_what_is_not_for_these(
    database: Database,
) -> None:
    """Kept plans never scan a table that was empty when they were made; where there is no other way, nothing is compiled."""
    names = ("enable_seqscan", "enable_mergejoin", "enable_hashjoin", "jit")
    shown = ", ".join(f"current_setting('{name}')" for name in names)
    how = f"SELECT concat_ws(' ', {shown}) AS word"
    built_once = prepared(text(how).columns(column("word", String)))
    with database.transaction() as session:
        assert session.execute(built_once).scalar() == "off off off off"
        assert session.execute(text(how)).scalar_one() == "on on on off"
    with database.reading() as session:
        assert session.execute(text(how)).scalar_one() == "on on on off"
    assert database.fast.execute(built_once).scalar() == "off off off off"


@pytest.mark.parametrize("word", ["it's", "100 %", "%s %(id_)s", "a\\b", "?", ":id_", "$1", 'a"b'])
def test_a_constant_stands_in_the_text_and_means_the_same(database: Database, word: str) -> None:
    """Whatever it looks like to an engine or a driver."""
    for number, one in enumerate((word, "other"), 1):
        database.fast.execute(_INSERT, row(number, word=one))
    finding = prepared(select(SAMPLE.c.id, SAMPLE.c.word).where(SAMPLE.c.word == word, SAMPLE.c.id >= _FROM))
    assert database.statement(finding).names == ("from_",)
    assert both(database, finding, {"from_": 1}) == [[(1, word)], [(1, word)]]


def test_what_a_partial_index_serves_is_planned_once(database: Database) -> None:
    """The index is of use only to a plan that knows the constant: a plan without it would be made anew each time."""
    with database.transaction() as session:
        session.execute(text("CREATE INDEX ix_waiting ON sample (id) WHERE word = 'waiting'"))
    finding = prepared(select(SAMPLE.c.big).where(SAMPLE.c.word == "waiting", SAMPLE.c.id >= _FROM))
    fast = database.fast
    made: list[Any] = []
    if database.is_sqlite:
        fast._driver.set_authorizer(lambda *asked: made.append(asked) or sqlite3.SQLITE_OK)
    for number in range(12):
        assert fast.execute(finding, {"from_": number}).all() == []
        if number == 0:
            assert not database.is_sqlite or made, "nobody asked what the statement may do"
            made.clear()
    if database.is_sqlite:
        assert made == []
        return
    counts = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE custom_plans > 0"
    known = prepared(text(counts).columns(column("generic", BigInteger), column("custom", BigInteger)))
    assert fast.execute(known).all() == [(7, 5)], "PostgreSQL makes five plans before it keeps one"


def test_an_unhurried_write_inside_a_transaction_is_part_of_it(database: Database) -> None:
    """It ends with the transaction, and waits for the disk with it."""
    fast = database.fast
    with suppress(ZeroDivisionError), fast.transaction():
        fast.unhurried.execute_all((_INSERT, row(1)), (_INSERT, row(2)))
        raise ZeroDivisionError
    assert ids(database) == []


def test_what_is_asked_beside_an_unhurried_write_costs_no_turn_of_its_own(
    database: Database, turns: list[int]
) -> None:
    """Each has its own answer, and sees what those before it did; a query by itself is only that."""
    fast = database.fast
    added, found, changed = fast.unhurried.execute_all(
        (_INSERT, row(1, word="new")), (_FIND, {"id_": 1}), (_CHANGE_QUIETLY, {"id_": 1})
    )
    assert (added.rowcount, found.first().word, changed.rowcount) == (1, "new", 1)
    assert [found.first().word for found in fast.unhurried.execute_all((_FIND, {"id_": 1}))] == ["fixed"]
    assert turns == ([] if database.is_sqlite else [4])


def test_whoever_waits_to_write_lets_another_request_through(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer; through a gate for one, a request that only reads passes those who wait to write."""
    monkeypatch.setattr(gate_module, "_LOOK_EVERY", 60.0)
    database = Database(f"sqlite:///{tmp_path}/x.sqlite")
    done: list[str] = []

    def app(environ: dict[str, str], _start_response: Any) -> list[bytes]:
        if environ["does"] == "writes":
            with database.writer, database.writer:
                done.append("written")
        done.append(environ["does"])
        return []

    gate = Gate(app, at_once=1, afterwards=lambda: done.append("afterwards"))
    with ThreadPoolExecutor(2) as pool:
        with database.writer:
            waiting = pool.submit(gate, {"does": "writes"}, None)
            while gate.free == 0 or not waiting.running():
                threading.Event().wait(0.001)
            assert pool.submit(gate, {"does": "reads"}, None).result(20) == []
            assert done == ["reads", "afterwards"]
        assert waiting.result(20) == []
    assert done == ["reads", "afterwards", "written", "writes", "afterwards"]
    assert gate.free == 1
    database.close()


def test_a_single_fast_write_is_durable_at_once(database: Database) -> None:
    """Outside `transaction()` every statement is its own, and a broken one breaks nothing else."""
    database.fast.execute(_INSERT, row(1))
    with pytest.raises(Exception, match=TWICE):
        database.fast.execute(_INSERT, row(1))
    other = Database(database.engine.url.render_as_string(hide_password=False))
    assert ids(other) == [1]
    other.close()


def test_reading_writes_nothing(database: Database) -> None:
    """What a reading session would write is rolled back."""
    with database.reading() as session:
        session.execute(_INSERT, row(1))
    assert ids(database) == []


def test_a_session_that_only_reads_runs_no_prepared_write(database: Database) -> None:
    """It would stand at once: there is no transaction that could take it back."""
    with database.reading() as session, pytest.raises(TypeError, match="only reads"):
        session.execute(_PREPARED_INSERT, row(1))
    assert ids(database) == []
    write(database.transaction(), 2)
    assert ids(database) == [2]


def test_prepared_statements_and_sqlalchemys_own_share_one_transaction(database: Database) -> None:
    """In whichever order they come: each sees what was before it, and all stand or none."""
    for fails in (True, False):
        with suppress(ZeroDivisionError), database.transaction() as session:
            session.execute(_PREPARED_QUIETLY, row(1))
            assert session.execute(select(SAMPLE.c.id)).scalars().all() == [1]
            session.execute(_PREPARED_QUIETLY, row(2))
            session.execute(insert(SAMPLE).values(id=3))
            assert [one.id for one in session.execute(_PREPARED_ALL).all()] == [1, 2, 3]
            session.execute(_PREPARED_INSERT, row(4))
            session.execute(_PREPARED_QUIETLY, row(5))
            assert session.execute(select(SAMPLE.c.id)).scalars().all() == [1, 2, 3, 4, 5]
            if fails:
                raise ZeroDivisionError
        assert ids(database) == ([] if fails else [1, 2, 3, 4, 5])


def test_what_a_savepoint_takes_back_includes_prepared_writes(database: Database) -> None:
    """Also where the first statement of all stands inside it."""
    with database.transaction() as session:
        with suppress(ZeroDivisionError), session.begin_nested():
            session.execute(_PREPARED_INSERT, row(1))
            raise ZeroDivisionError
        session.execute(_PREPARED_INSERT, row(2))
        with pytest.raises(Exception, match=TWICE), session.begin_nested():
            session.execute(_PREPARED_INSERT, row(2))
        session.execute(_PREPARED_INSERT, row(3))
    assert ids(database) == [2, 3]


def test_whoever_only_asks_a_session_for_its_connection_loses_nothing(database: Database) -> None:
    """SQLAlchemy commits what it has begun; what it only might have used is committed all the same."""
    with database.transaction() as session:
        assert session.get_bind().dialect.name in database.engine.url.drivername
        session.execute(_PREPARED_INSERT, row(1))
    with database.reading() as session:
        session.get_bind()
    database.fast.execute(_INSERT, row(2))
    other = Database(database.engine.url.render_as_string(hide_password=False))
    assert ids(other) == [1, 2]
    other.close()


def _write_after_the_end(opened: Any, breaking: Any) -> None:
    with opened as connection:
        connection.execute(_PREPARED_INSERT, row(1))
        with suppress(Exception):
            connection.execute(breaking, row(1))


def test_a_transaction_that_the_database_has_ended_is_never_taken_for_one_that_stands(
    database: Database,
) -> None:
    """Somebody who passes over the error on the way is told at the end."""
    breaking = (
        prepared(text("INSERT OR ROLLBACK INTO sample (id) VALUES (:new_id)"))
        if database.is_sqlite
        else _PREPARED_INSERT
    )
    for opened in (database.transaction(), database.fast.transaction()):
        with pytest.raises(Exception, match=r"no transaction is active|had failed"):
            _write_after_the_end(opened, breaking)
        assert ids(database) == []


def test_a_session_has_a_connection_to_itself(database: Database) -> None:
    """What `fast` does meanwhile is no part of its transaction, and the thread has one connection again afterwards."""
    mine = database.fast
    with database.transaction() as session:
        session.execute(_PREPARED_INSERT, row(1))
        assert database.fast is not mine
        assert database.fast.execute(_ALL).all() == []
    assert ids(database) == [1]
    with mine.transaction():
        mine.execute(_INSERT, row(2))
        with database.reading() as session:
            assert [one.id for one in session.execute(_PREPARED_ALL).all()] == [1]
    assert ids(database) == [1, 2]


@ON_POSTGRESQL
def test_a_connection_that_was_lost_while_nobody_used_it_is_not_taken_up(database: Database) -> None:
    """Its server said so; else the next single write would be refused for nothing."""
    database.fast.execute(_INSERT, row(1))
    for number, is_unhurried in enumerate((False, True), 2):
        database.give_back()
        restart(database)
        (database.fast.unhurried if is_unhurried else database.fast).execute(_INSERT, row(number))
    assert ids(database) == [1, 2, 3]


def _write_and_lose_the_connection(database: Database, *, late: bool) -> None:
    """Before the second turn, or before one that would begin and commit at once."""
    with database.transaction() as session:
        if not late:
            session.execute(_PREPARED_INSERT, row(4))
        session.execute(_PREPARED_QUIETLY, row(5))
        restart(database)
        if not late:
            session.execute(_PREPARED_INSERT, row(6))


@ON_POSTGRESQL
@pytest.mark.parametrize("joins", [False, True])
def test_a_transaction_that_finds_its_connection_lost_begins_on_another(
    database: Database, *, joins: bool
) -> None:
    """Its first words never got there. Later ones are not said again: what stood before them is gone."""
    write(database.transaction(), 1)
    with database.transaction() as session:
        restart(database)
        session.execute(_PREPARED_QUIETLY, row(2))
        session.execute(insert(SAMPLE).values(id=3) if joins else _PREPARED_INSERT, None if joins else row(3))
    with database.reading() as session:
        assert session.execute(_PREPARED_ALL).first().id == 1
    restart(database)
    with database.reading() as session:
        assert session.execute(select(SAMPLE.c.id) if joins else _PREPARED_ALL).all() == [(1,), (2,), (3,)]
    for late in (False, True):
        with pytest.raises(Exception, match=r"(?i)terminat|lost|closed"):
            _write_and_lose_the_connection(database, late=late)
    assert ids(database) == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_quiet_inserts_stand_before_whatever_comes_after_them(database: Database, count: int) -> None:
    """They may wait inside a transaction, but not for a statement that looks, and not for its end."""
    with database.fast.transaction() as connection:
        for number in range(count):
            connection.execute(_QUIET_INSERT, row(number))
        assert [one.id for one in connection.execute(_ALL).all()] == list(range(count))
        connection.execute(_QUIET_INSERT, row(90))
        connection.execute(_INSERT, row(91))
        connection.execute(_QUIET_INSERT, row(92))
    assert ids(database) == [*range(count), 90, 91, 92]
    database.fast.execute(_QUIET_INSERT, row(93))
    assert ids(database)[-1] == 93


def _write_quietly(database: Database, *numbers: int, fails: bool = False) -> None:
    with database.fast.transaction() as connection:
        for number in numbers:
            connection.execute(_QUIET_INSERT, row(number))
        if fails:
            raise ZeroDivisionError


def test_a_quiet_insert_that_fails_takes_its_whole_transaction_with_it(database: Database) -> None:
    """What was put off is not forgotten: nothing stands, and nothing of it comes along with the next transaction."""
    database.fast.execute(_INSERT, row(2))
    with pytest.raises(Exception, match=TWICE):
        _write_quietly(database, 1, 2, 3)
    with pytest.raises(ZeroDivisionError):
        _write_quietly(database, 4, fails=True)
    _write_quietly(database, 5)
    assert ids(database) == [2, 5]


def test_threads_have_connections_of_their_own(database: Database) -> None:
    """A transaction of one thread is not seen, nor ended, by another."""
    seen: list[Any] = []
    mine = database.fast

    def look() -> None:
        seen.append(database.fast is not mine)
        seen.append([tuple(one) for one in database.fast.execute(_ALL).all()])
        database.fast.close()

    with database.fast.transaction() as connection:
        connection.execute(_INSERT, row(1))
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)
    assert seen == [True, []]
    assert ids(database) == [1]


def test_what_one_thread_gives_back_the_next_one_uses(database: Database) -> None:
    """The last one first; one that is closed goes to nobody, and few are kept."""
    mine = database.fast
    mine.execute(_INSERT, row(1))
    database.give_back()
    database.give_back()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(
            lambda: (database.fast is mine, database.fast.execute(_ALL).first().id)
        ).result() == (True, 1)
        assert database.fast is not mine
        database.fast.close()
        database.give_back()
        pool.submit(database.give_back).result()
    assert database.fast is mine
    database.close()
    assert mine.closed
    assert ids(database) == [1]


def test_a_connection_in_a_transaction_is_given_to_nobody(database: Database) -> None:
    """Two threads would write into one."""
    with database.fast.transaction() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(_INSERT, row(1))
        database.give_back()
        assert pool.submit(lambda: database.fast is not connection).result()
    database.give_back()
    assert ids(database) == [1]


def test_only_few_connections_wait_for_work(database: Database) -> None:
    """As many as a burst needed would stay open for good."""
    gate, used = threading.Barrier(9), []

    def burst(_number: int) -> None:
        used.append(database.fast)
        gate.wait(10)
        database.give_back()

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(burst, range(9)))
    assert sum(not one.closed for one in used) == 6


@ON_POSTGRESQL
def test_a_failure_that_somebody_swallows_is_not_committed(database: Database) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK then, which nobody may take for the truth."""
    database.fast.execute(_INSERT, row(1))

    def swallow() -> None:
        with database.fast.transaction() as connection:
            connection.execute(_INSERT, row(2))
            with suppress(Exception):
                connection.execute(_INSERT, row(1))

    with pytest.raises(Exception, match="had failed"):
        swallow()
    assert ids(database) == [1]
    with database.fast.transaction() as connection:
        connection.execute(_INSERT, row(3))
    assert ids(database) == [1, 3]


@ON_POSTGRESQL
def test_a_text_with_a_nul_is_refused_as_a_whole(database: Database) -> None:
    """K36: libpq takes text up to the first NUL."""
    with pytest.raises(Exception, match="NUL"):
        database.fast.execute(_INSERT, row(1, word="admin\0istrator"))
    assert ids(database) == []


@ON_POSTGRESQL
def test_whoever_waits_for_a_row_holds_up_no_other_thread(database: Database) -> None:
    """A thread that waited with the interpreter's lock in hand would wait for ever for one that needs it."""
    database.fast.execute(_INSERT, row(1))

    def change() -> int:
        # Should it come to that, the server ends the wait, and this test fails instead of standing still.
        database.fast.execute(text("SET lock_timeout = '5s'"))
        with database.fast.transaction() as connection:
            connection.execute(_QUIET_INSERT, row(2))
            return connection.execute(_CHANGE, {"id_": 1, "word_": "theirs"}).rowcount

    with ThreadPoolExecutor(1) as pool:
        with database.fast.transaction() as connection:
            connection.execute(_CHANGE, {"id_": 1, "word_": "mine"})
            waiting = pool.submit(change)
            while not is_one_waiting(database):
                assert not waiting.done()
        assert waiting.result(20) == 1
    assert ids(database) == [1, 2]


#: Native threads, as the server's: each runs one statement and ends. Prints how many connections wait to be closed.
_THREADS_THAT_END = """
import ctypes, sys
from sqlalchemy import literal, select
from idp.db import Database
from idp.statements import prepared

database, one = Database(sys.argv[1]), prepared(select(literal(1).label("one")))
library = ctypes.CDLL(None)

@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def work(_):
    database.fast.execute(one)

for _ in range(50):
    thread = ctypes.c_ulong()
    library.pthread_create(ctypes.byref(thread), None, work, None)
    library.pthread_join(thread, None)
database.fast.execute(one)
print(len(database.left_behind))
"""


def test_a_thread_of_the_server_that_ends_takes_no_process_with_it(database_url: str) -> None:
    """A connection that is closed in the last moment of a native thread crashes the interpreter (cpython#119585)."""
    run = [sys.executable, "-c", _THREADS_THAT_END, database_url]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


@pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)
def test_a_transaction_inside_another_is_refused_and_spoils_nothing(database: Database) -> None:
    """A write beside one's own open transaction would wait for itself: SQLite says so, the outer one goes on."""
    with impatient(database):
        with database.transaction() as outer:
            outer.execute(_INSERT, row(1))
            with pytest.raises(Exception, match="locked") as refused, database.transaction() as inner:
                inner.execute(_INSERT, row(2))
            with pytest.raises(Exception, match="locked"):
                database.fast.execute(_INSERT, row(3))
            outer.execute(_INSERT, row(4))
        assert ids(database) == [1, 4]
    assert is_unavailable(refused.value)


def test_a_mistake_in_a_statement_is_not_taken_for_a_database_that_is_away(database: Database) -> None:
    """Only what heals by itself is answered with "come again"."""
    with pytest.raises(Exception, match=TWICE) as broken:
        write(database.transaction(), 1, 1)
    assert not is_unavailable(broken.value)
    assert not is_unavailable(RuntimeError("no"))
    assert not is_unavailable(KeyError("no"))


def test_errors_do_not_show_the_values_of_a_statement(database: Database) -> None:
    """A log of an error may be read by many; the values are residents' data."""
    with pytest.raises(Exception, match=TWICE) as broken:
        write(database.transaction(), 1, 1)
    assert "Okafor" not in str(broken.value)


def test_sqlite_writes_are_on_disk_before_they_are_acknowledged(tmp_path: Any) -> None:
    """F03: WAL with synchronous=FULL on every connection, pooled or fast; foreign keys are enforced."""
    database = Database(f"sqlite:///{tmp_path}/x.sqlite")
    with database.reading() as session:
        pragmas = [
            session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    driver = database.fast._driver
    fast = [
        driver.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    database.close()
    assert pragmas == fast == ["wal", 2, 1]


def test_orm_rows_can_be_used_after_their_transaction(database_url: str) -> None:
    """Nothing expires behind a view's back."""
    database = Database(database_url)
    with database.transaction() as session:
        session.add(lease := Lease(name="x", holder="h", until_at=5))
    assert lease.until_at == 5
    database.close()


# --- asked ahead ---


def test_what_is_asked_ahead_is_answered_as_of_then_whenever_that_is_read(database: Database) -> None:
    """At once, after the next statement or a later one, in any order, or never."""
    write(database.transaction(), 1)
    with database.fast.transaction() as connection:
        at_once = connection.execute(_ALL_AHEAD)
        assert [one.id for one in at_once.all()] == [1]
        before, none = connection.execute(_ALL_AHEAD), connection.execute(_FIND_AHEAD, {"id_": 2})
        connection.execute(_INSERT, row(2))
        after, two = connection.execute(_ALL_AHEAD), connection.execute(_FIND_AHEAD, {"id_": 2})
        connection.execute(_QUIET_INSERT, row(3))
        assert (two.first().id, two.scalar(), none.first(), none.scalar()) == (2, 2, None, None)
        assert [one.id for one in after.all()] == [1, 2]
        assert [one.id for one in before.all()] == [one.id for one in at_once.all()] == [1]
        unread = connection.execute(_ALL_AHEAD)
    assert [one.id for one in unread.all()] == [1, 2, 3]
    assert ids(database) == [1, 2, 3]


@pytest.mark.parametrize("fails", ["by itself", "by a statement"])
def test_what_was_asked_ahead_in_a_transaction_that_failed_says_nothing(
    database: Database, fails: str
) -> None:
    """It never came, which must not look as if nothing was found; and the next transaction has its own answers."""
    fast = database.fast
    write(database.transaction(), 1)
    with suppress(Exception), fast.transaction() as connection:
        connection.execute(_QUIET_INSERT, row(2))
        found = connection.execute(_ALL_AHEAD)
        if fails == "by a statement":
            connection.execute(_INSERT, row(2))
        raise ZeroDivisionError(fails)
    if not database.is_sqlite:
        for read in (found.all, found.first, found.scalar):
            with pytest.raises(Exception, match="ended"):
                read()
    with fast.transaction() as connection:
        connection.execute(_QUIET_INSERT, row(3))
        assert [one.id for one in connection.execute(_ALL_AHEAD).all()] == [1, 3]


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements went to PostgreSQL in each turn of several."""
    found: list[int] = []
    turn = PostgresqlConnection._turn

    def counted(self: PostgresqlConnection, orders: Any) -> Any:
        found.append(len(orders))
        return turn(self, orders)

    monkeypatch.setattr(PostgresqlConnection, "_turn", counted)
    return found


@ON_POSTGRESQL
def test_what_is_asked_ahead_costs_no_turn_of_its_own(database: Database, turns: list[int]) -> None:
    """It goes with the next statement; outside a transaction there is none to go with."""
    with database.fast.transaction() as connection:
        asked = connection.execute(_ALL_AHEAD)
        connection.execute(_INSERT, row(1))
        assert asked.all() == []
    assert turns == [3]  # and COMMIT by itself
    with database.transaction() as session:
        restart(database)
        assert session.execute(_PREPARED_ALL_AHEAD).first().id == 1
    assert [one.id for one in database.fast.execute(_ALL_AHEAD).all()] == [1]
