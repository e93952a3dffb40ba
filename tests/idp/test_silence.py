"""A PostgreSQL that says nothing: requests end within seconds, and what has more time keeps it (decision 0041)."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import BigInteger, bindparam, column, insert, select, table, text, update
from sqlalchemy.exc import OperationalError

from idp import serve
from idp.app import create_app, create_worker, open_context
from idp.db import Database, is_unavailable
from idp.schema import database_problem
from idp.statements import ahead, prepared
from tests.idp.web.test_unavailable import Visit, assert_unavailable
from tests.support.faults import STOPPED_FOR, stopped
from tests.support.riverton import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.town import Town

#: Seconds for a statement; so a lock has half of one, and who hears nothing gives up after two.
LIMIT = 1
#: No request takes longer, in seconds, on the slowest machine; far less than what is stopped stands still.
ENDS_WITHIN = STOPPED_FOR / 2

SILENT = "the database gave no answer"
COUNTED = table("counted", column("id", BigInteger), column("number", BigInteger))
_READ = select(COUNTED.c.number).where(COUNTED.c.id == bindparam("id_"))
_CHANGE = update(COUNTED).where(COUNTED.c.id == bindparam("id_")).values(number=bindparam("number_"))
_INSERT = insert(COUNTED).values(id=bindparam("id_"), number=bindparam("number_"))
_READ_AHEAD = prepared(ahead(select(COUNTED.c.number).where(COUNTED.c.id == bindparam("id_"))))

ON_POSTGRESQL = pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
ON_POSTGRESQL_TOWN = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    """A database with a row that can be changed, for requests."""
    found = Database(empty_database_url, answers_within=LIMIT)
    with found.transaction() as session:
        session.execute(text("CREATE TABLE counted (id BIGINT PRIMARY KEY, number BIGINT)"))
        session.execute(_INSERT, {"id_": 1, "number_": 0})
    yield found
    found.close()


@contextmanager
def soon() -> Iterator[None]:
    """What stands in the block ends by itself, and long before what is silent speaks again."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < ENDS_WITHIN


def number(database: Database) -> int:
    return int(database.fast.execute(_READ, {"id_": 1}).scalar())


def _read(database: Database) -> None:
    number(database)


def _write(database: Database) -> None:
    database.fast.execute(_CHANGE, {"id_": 1, "number_": 9})


def _write_unhurried(database: Database) -> None:
    database.fast.unhurried.execute(_CHANGE, {"id_": 1, "number_": 9})


def _transaction(database: Database) -> None:
    with database.fast.transaction() as connection:
        connection.execute(_READ_AHEAD, {"id_": 1})
        connection.execute(_CHANGE, {"id_": 1, "number_": 9})


def _session(database: Database) -> None:
    with database.transaction() as session:
        session.execute(_CHANGE, {"id_": 1, "number_": 9})


WAYS: tuple[Callable[[Database], None], ...] = (_read, _write, _write_unhurried, _transaction, _session)


@ON_POSTGRESQL
@pytest.mark.parametrize("ask", WAYS)
def test_whoever_hears_nothing_gives_up_and_nothing_later_takes_that_answer_for_its_own(
    database: Database, ask: Callable[[Database], None]
) -> None:
    """F08: the connection is ended, not given back; a new one serves although the old ones still stand."""
    assert number(database) == 0
    with stopped(database):
        with soon(), pytest.raises(Exception, match=SILENT) as given_up:
            ask(database)
        assert is_unavailable(given_up.value)
        database.give_back()
        assert not database._idle
        until(lambda: _works(database), "it heals by itself, on another connection")


@pytest.mark.parametrize("change", [prepared(_CHANGE), _CHANGE], ids=["prepared", "sqlalchemy"])
@ON_POSTGRESQL
def test_a_commit_that_is_not_answered_ends_the_connection_too(database: Database, change: Any) -> None:
    """What became of it nobody knows, as when a connection is lost; whoever asks again finds one or the other."""
    with ExitStack() as still:
        with soon(), pytest.raises(Exception, match=SILENT) as given_up:
            _only_the_commit_is_left(database, change, still)
        assert is_unavailable(given_up.value)
        assert not database._idle
    until(lambda: _works(database), "it heals")
    assert number(database) in (0, 9)


def _only_the_commit_is_left(database: Database, change: Any, still: ExitStack) -> None:
    with database.transaction() as session:
        session.execute(change, {"id_": 1, "number_": 9})
        still.enter_context(stopped(database))


def _works(database: Database) -> bool:
    with suppress(OperationalError):
        return number(database) >= 0
    return False


@ON_POSTGRESQL
def test_while_the_server_is_silent_nobody_else_waits_for_it(database: Database) -> None:
    """Else every thread of the process would stand there, one after the other."""
    number(database)
    with stopped(database):
        with pytest.raises(Exception, match=SILENT):
            number(database)
        begun = time.monotonic()
        with pytest.raises(Exception, match=SILENT) as refused:
            number(database)
        assert time.monotonic() - begun < LIMIT
    assert is_unavailable(refused.value)


@pytest.mark.parametrize("ask", [_write, _write_unhurried, _transaction, _session])
@ON_POSTGRESQL
def test_a_lock_that_somebody_forgot_is_waited_for_briefly(
    database: Database, ask: Callable[[Database], None]
) -> None:
    """By a request; the connection is sound and goes on. Who has more time gets the row once it is free."""
    other, patient = Database(database._url), database.beside(answers_within=None)
    with other.transaction() as holding:
        holding.execute(_CHANGE, {"id_": 1, "number_": 3})
        with soon(), pytest.raises(Exception, match="lock timeout") as refused:
            ask(database)
        assert is_unavailable(refused.value)
        assert number(database) == 0
        assert not database.fast.closed
    patient.fast.execute(_CHANGE, {"id_": 1, "number_": 5})
    assert number(database) == 5
    other.close()
    patient.close()


@ON_POSTGRESQL
def test_a_statement_has_its_time_and_jobs_and_commands_have_theirs(database: Database) -> None:
    """The server ends what takes too long for a request. A migration, an export or a job is never cut short."""
    takes = text(f"SELECT pg_sleep({LIMIT + 1})")
    with pytest.raises(Exception, match="statement timeout") as refused, database.reading() as session:
        session.execute(takes)
    assert is_unavailable(refused.value)
    patient = database.beside(answers_within=None)
    with patient.reading() as session:
        session.execute(takes)
    patient.close()


def test_a_listener_that_never_answers_is_asked_by_one_at_a_time() -> None:
    """It takes the connection and says nothing, as a stopped server does, or what stands in its place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        database = Database(f"postgresql+psycopg://denizen@127.0.0.1:{port}/any", answers_within=LIMIT)
        with soon(), pytest.raises(Exception, match="timeout") as given_up:
            number(database)
        begun = time.monotonic()
        with pytest.raises(Exception, match="a moment ago"):
            number(database)
        assert time.monotonic() - begun < LIMIT
    assert is_unavailable(given_up.value)


def test_what_refuses_at_once_is_asked_again_at_once() -> None:
    """Nobody waits for it, so nobody need be spared: it is back as soon as it is back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    database = Database(f"postgresql+psycopg://denizen@127.0.0.1:{port}/any", answers_within=LIMIT)
    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            number(database)


@ON_POSTGRESQL_TOWN
def test_every_request_says_that_the_database_is_silent_and_all_heals(town: Town) -> None:
    """F08: 503, Retry-After and a reference from pages and endpoints alike, within seconds all together."""
    context = open_context(town.settings, clock=town.clock, checkpoints=False, answers_within=LIMIT)
    visit = Visit(replace(town, context=context, app=create_app(context)))
    everything = {**visit.reads(), **visit.writes()}
    town.context.database.close()
    with stopped(context.database):
        begun = time.monotonic()
        for what, send in everything.items():
            answer = send()
            if answer.status_code != 503:  # a moment has passed, and a new connection serves it
                break
            assert_unavailable(what, answer)
        assert time.monotonic() - begun < ENDS_WITHIN
        assert what != next(iter(everything))
    until(lambda: visit.reads()["health"]().status_code == 200, "it heals")
    assert visit.reads()["account"]().status_code == 200
    context.database.close()


@ON_POSTGRESQL_TOWN
def test_requests_staff_and_jobs_have_each_their_time(town: Town) -> None:
    """As `[database] wait_for` says; of the jobs the server asks nothing."""
    context = open_context(town.settings, checkpoints=False, answers_within=town.settings.database.wait_for)
    staff: list[Any] = []
    serve._gated(context, lambda: staff.append, "staff")
    of_jobs = create_worker(context)._database
    databases = (context.database, staff[0].database, of_jobs)
    shown = []
    for database in databases:
        with database.reading() as session:
            shown.append(
                [session.execute(text(f"SHOW {name}_timeout")).scalar() for name in ("statement", "lock")]
            )
        database.close()
    assert shown == [["5s", "2500ms"], ["1min", "30s"], ["0", "0"]]


@ON_POSTGRESQL_TOWN
def test_a_start_that_gets_no_answer_does_not_call_the_database_empty(town: Town) -> None:
    """It says what is so, and nobody is sent to migrate, or to look for a backup."""
    with town.context.database.transaction() as holding:
        holding.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        with soon(), pytest.raises(OperationalError, match="lock timeout") as refused:
            open_context(town.settings, checkpoints=False, answers_within=LIMIT)
    assert "lock timeout" in database_problem(refused.value)


@ON_POSTGRESQL_TOWN
def test_a_thread_that_served_staff_keeps_no_connection(town: Town) -> None:
    """Of the server's many threads few work at a time, and those that rest hold nothing of PostgreSQL's."""
    context = open_context(town.settings, checkpoints=False, answers_within=town.settings.database.wait_for)
    databases: list[Any] = []

    def load() -> Any:
        def of_staff(found: Any) -> Any:
            databases.append(found.database)
            return lambda _environ, _start: [str(found.database.fast.closed).encode()]

        return of_staff

    gate = serve._gated(context, load, "staff")
    assert gate({}, None) == [b"False"]
    (database,) = databases
    assert len(database._idle) == 1
    database.close()
    context.database.close()
