"""One sequencer at a time, whatever happens to it: nothing is lost, nothing stands in the log twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, select, text

from consent import log, models
from consent.log import sequencer
from consent.log.entries import INSERT_ENTRY
from idp.jobs.worker import Job, Worker
from tests.consent.town import NOW, ORIGIN, Town, filler

if TYPE_CHECKING:
    from sqlalchemy import Connection

ENTRY, LEAF = models.table(models.LogEntry), models.table(models.LogLeaf)
ON_POSTGRESQL = pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)

#: A sequencer as a process of its own, killed from outside; it says when it has begun.
SEQUENCER = """
import sys, time
from sqlalchemy import create_engine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from consent import log
key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.argv[2]))
signer = log.NoteSigner(sys.argv[3], key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign)
engine = create_engine(sys.argv[1])
print("begun", flush=True)
while True:
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql" and not log.is_alone(connection):
            continue
        log.integrate(connection, signer, origin=sys.argv[3], now=int(sys.argv[4]), limit=7)
"""


def everything_once(connection: Connection, signer: log.NoteSigner) -> None:
    """Every entry has exactly one leaf, and the whole verifies."""
    while Town(connection, signer).integrate(limit=1000):
        pass
    entries = connection.execute(select(ENTRY.c.id).order_by(ENTRY.c.id)).scalars().all()
    leaves = connection.execute(select(LEAF.c.entry_id).order_by(LEAF.c.entry_id)).scalars().all()
    assert leaves == entries
    assert Town(connection, signer).verify(sources=()) == []


@ON_POSTGRESQL
def test_only_one_sequencer_has_the_right_at_a_time(engine: Engine) -> None:
    """And it comes back by itself when the transaction ends, however it ends."""
    with engine.connect() as one, engine.connect() as other:
        assert log.is_alone(one)
        assert not log.is_alone(other)
        other.rollback()
        one.rollback()
        assert log.is_alone(other)
        other.commit()
        assert log.is_alone(one)


@ON_POSTGRESQL
def test_the_right_of_a_killed_process_is_free_at_once(engine: Engine) -> None:
    """Nobody waits for a lease to run out: the server takes it back with the connection."""
    script = (
        "import sys, time; from sqlalchemy import create_engine; from consent import log;"
        "connection = create_engine(sys.argv[1]).connect(); print(log.is_alone(connection), flush=True); time.sleep(60)"
    )
    url = engine.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with engine.connect() as connection:
            assert not log.is_alone(connection)
            connection.rollback()
            holder.kill()
            holder.wait()
            deadline = time.monotonic() + 30
            while not log.is_alone(connection):
                connection.rollback()
                assert time.monotonic() < deadline, "the right was not given back"


def test_a_killed_sequencer_loses_and_doubles_nothing(engine: Engine) -> None:
    """Killed with SIGKILL in the middle, again and again, while entries keep coming."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex()
    signer = log.NoteSigner(ORIGIN, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), key.sign)
    url = engine.url.render_as_string(hide_password=False)
    for turn in range(4):
        with engine.begin() as connection:
            connection.execute(INSERT_ENTRY, filler(turn * 300, 300))
        command = [sys.executable, "-c", SEQUENCER, url, secret, ORIGIN, str(NOW)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            before, deadline = _count(engine), time.monotonic() + 60
            while _count(engine) < before + 14 + turn and time.monotonic() < deadline:
                pass
            os.kill(process.pid, signal.SIGKILL)
    with engine.begin() as connection:
        everything_once(connection, signer)


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(select(LEAF.c.leaf_index)).all())


@ON_POSTGRESQL
def test_an_entry_committed_while_the_sequencer_works_is_not_passed_by(
    engine: Engine, signer: log.NoteSigner
) -> None:
    """The gap is open when the pending entries are read, and filled when it is asked what has settled."""
    with engine.connect() as late, engine.connect() as prompt:
        Town(late, signer).fill(1, start=1)
        Town(prompt, signer).fill(1, start=2)
        prompt.commit()

        class CommitsMeanwhile:
            def execute(self, statement: Any, parameters: Any = None) -> Any:
                if statement is sequencer._INSERT_LEAF:
                    late.commit()
                return prompt.execute(statement, parameters)

        assert log.integrate(CommitsMeanwhile(), signer, origin=ORIGIN, now=NOW)
        prompt.commit()
        everything_once(prompt, signer)
        prompt.rollback()


@ON_POSTGRESQL
def test_many_writers_and_two_sequencers_lose_nothing(engine: Engine, signer: log.NoteSigner) -> None:
    """Ids come out of order all the time; every entry has its leaf in the end, without a sweep."""
    done = threading.Event()

    def write(number: int) -> None:
        for turn in range(60):
            with engine.begin() as connection:
                connection.execute(INSERT_ENTRY, filler(number * 1000 + turn, 1))

    def sequence() -> None:
        while not done.is_set():
            with engine.begin() as connection:
                if log.is_alone(connection):
                    Town(connection, signer).integrate(limit=20)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    sequencers = [threading.Thread(target=sequence) for _ in range(2)]
    for thread in (*writers, *sequencers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in sequencers:
        thread.join()
    with engine.begin() as connection:
        everything_once(connection, signer)


def test_a_clock_that_jumps_back_loses_nothing(town: Town) -> None:
    """The order is that of the ids; a head may be older than the one before it by the clock."""
    for now in (NOW, NOW - 86_400, NOW + 86_400, NOW - 10):
        town.now = now
        town.connection.execute(INSERT_ENTRY, filler(now, 3, NOW))
        assert town.integrate()
    assert town.verify(sources=()) == []
    assert town.connection.execute(text("SELECT count(*) FROM consent_log_leaf")).scalar_one() == 12


def test_a_job_is_not_put_off_by_a_clock_that_jumps_back() -> None:
    """Else the log would stand still for as long as the clock was wrong."""
    done: list[int] = []

    class Anywhere:
        is_sqlite = True

    worker = Worker(Anywhere(), [Job("log", 2, done.append, is_leased=False)], time.time)  # type: ignore[arg-type]
    for now in (NOW, NOW + 1, NOW + 2, NOW - 3600, NOW - 3599, NOW - 3598):
        worker.run_due(now)
    assert done == [NOW, NOW + 2, NOW - 3600, NOW - 3598]


def test_the_lag_is_that_of_the_oldest_entry_that_waits(town: Town) -> None:
    assert log.lag(town.connection, now=NOW) == 0
    town.fill(2)
    town.now += 60
    town.fill(2, start=2)
    assert log.lag(town.connection, now=NOW + 90) == 90
    assert town.integrate(limit=2)
    assert log.lag(town.connection, now=NOW + 90) == 30
    assert town.integrate()
    assert log.lag(town.connection, now=NOW + 90) == 0


def test_stragglers_are_known_without_a_sweep(town: Town) -> None:
    """What came absurdly late is seen by a look that writes nothing."""
    town.fill(1)
    row = {**filler(9, 1)[0], "id": 9}
    town.connection.execute(ENTRY.insert(), row)
    town.now += 2 * sequencer.SETTLE_FOR
    assert town.integrate()
    assert not log.has_stragglers(town.connection)
    town.connection.execute(ENTRY.insert(), {**filler(5, 1)[0], "id": 5})
    assert log.has_stragglers(town.connection)
    assert town.integrate(sweep=True)
    assert not log.has_stragglers(town.connection)
