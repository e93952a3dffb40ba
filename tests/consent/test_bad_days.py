"""Bad days: processes killed at any instant, full disks, databases that go and come back, clocks that jump.

What was acknowledged is there, with its entry in the log; what is there has its entry, and no entry is without its row.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from consent import models
from consent.log.entries import INSERT_ENTRY
from idp.db import Database
from tests.consent.conftest import _furnish
from tests.consent.town import HOUR, NOW, Town, filler
from tests.consent.writing import COMMAND, PATIENCE, ROOT, integrate, new_signer, write
from tests.support import postgres
from tests.support.faults import fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: How often a writer is killed; `DENIZEN_KILLS=200` for a thorough run.
KILLS = int(os.getenv("DENIZEN_KILLS", "25"))
ENTRY, LEAF = models.table(models.LogEntry), models.table(models.LogLeaf)
RECORD, RELEASE = models.table(models.Record), models.table(models.Release)
ON_SQLITE = pytest.mark.parametrize("empty_database_url", ["sqlite"], indirect=True)


@dataclass
class Writers:
    """Writers on one database, one after the other."""

    process: subprocess.Popen[str]
    acknowledged: list[str]

    def live(self, seconds: float, since: str = "first") -> int:
        """Let one live so long and kill it; how much was acknowledged meanwhile."""
        self.begin(seconds, since)
        return self.end()

    def begin(self, seconds: float, since: str = "first") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{since} {seconds}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        before = len(self.acknowledged)
        for line in _lines(self.process.stdout):
            if line in ("killed", "died"):
                assert line == "killed", "the writer ended by itself; its last words are above"
                return len(self.acknowledged) - before
            self.acknowledged.append(line)
        raise AssertionError("nobody forks any more")


def _lines(pipe: IO[str] | None) -> Iterator[str]:
    assert pipe is not None
    for line in pipe:
        yield line.rstrip("\n")


@contextmanager
def writers(engine: Engine, *, largest_file: int = 0) -> Iterator[Writers]:
    """The process that forks writers."""
    url = engine.url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        purpose_id = Town(connection, new_signer()).purpose()
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        told = {"url": url, "purpose_id": purpose_id, "largest_file": largest_file}
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        yield Writers(process, [])
        process.stdin.close()


def check(engine: Engine, acknowledged: Sequence[str], *, findings: Sequence[str] = ()) -> None:
    """Nothing acknowledged is lost, and rows and entries are one to one; then the log is brought to its end."""
    _wait_for_the_server(engine)
    with engine.connect() as connection:
        events = {row.hex() for row in connection.execute(select(RECORD.c.uid)).scalars()}
        grants = set(connection.execute(select(RELEASE.c.authorization_id)).scalars())
        entries = connection.execute(select(ENTRY.c.ref_table, ENTRY.c.uid)).all()
        for core in (RECORD, RELEASE):
            rows = set(connection.execute(select(core.c.uid)).scalars())
            assert {uid for name, uid in entries if name == core.name} == rows, f"{core.name} and log differ"
    promised = [line.split(" ") for line in acknowledged]
    assert {name for kind, name in promised if kind == "event"} <= events
    assert {name for kind, name in promised if kind == "release"} <= grants
    assert len(set(acknowledged)) == len(acknowledged)
    _check_log(engine, findings)


def _check_log(engine: Engine, findings: Sequence[str]) -> None:
    with engine.begin() as connection:
        town = Town(connection, new_signer())
        assert {found.what for found in town.verify()} <= set(findings)
        while town.integrate():
            pass
        assert {found.what for found in town.verify()} <= set(findings)
        count = connection.execute(select(func.count()).select_from(ENTRY)).scalar_one()
        assert connection.execute(select(func.count()).select_from(LEAF)).scalar_one() == count
        if engine.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


def _wait_for_the_server(engine: Engine) -> None:
    """PostgreSQL may still be at work for a client that is dead."""
    if engine.dialect.name == "sqlite":
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    end = time.monotonic() + PATIENCE
    engine.dispose()
    while time.monotonic() < end:
        with engine.connect() as connection:
            if not connection.execute(others).scalar_one():
                return
        time.sleep(0.02)
    raise AssertionError("the server works on for nobody")


def test_killed_at_any_instant_nothing_that_was_acknowledged_is_lost(engine: Engine) -> None:
    """Issue 4: kill -9 of the writing process and its sequencer, again and again, on one database."""
    with writers(engine) as running:
        # From before the first connection to the middle of many commits; instants that no schedule repeats.
        for number in range(KILLS):
            running.live((number * 37 % 101) / 400, "first" if number % 3 else "start")
    assert len(running.acknowledged) > KILLS, "the kills came too early to show anything"
    check(engine, running.acknowledged)


@ON_SQLITE
def test_a_full_disk_refuses_and_loses_nothing(engine: Engine) -> None:
    """Files may not grow beyond a size: commits fail from then on, those before hold, and with room it goes on."""
    with writers(engine, largest_file=400_000) as running:
        for _ in range(20):
            if not running.live(1.0, "start"):
                break
        else:
            raise AssertionError("the disk never got full")
        full = len(running.acknowledged)
        assert full
        assert running.live(0.5, "start") == 0, "and stays full"
    check(engine, running.acknowledged)
    database = Database(engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        purpose_id = connection.execute(select(models.table(models.Purpose).c.id)).scalar_one()
    later = [write(database, purpose_id, number, NOW) for number in range(10)]
    database.close()
    check(engine, [*running.acknowledged, *later])


def test_a_full_disk_of_a_server_refuses_and_loses_nothing(run_folder: Path) -> None:
    """The same of PostgreSQL, whose tables may not grow any more; its journal has room, in files of a megabyte."""
    folder = run_folder / f"full-{os.getpid()}"
    cluster = postgres.start(folder, "--wal-segsize=1")
    engine = create_engine(cluster.create("denizen"))
    try:
        _make_durable(engine)
        with engine.begin() as connection:
            _furnish(connection)
            connection.execute(INSERT_ENTRY, filler(0, 9000))
            size = connection.execute(text("SELECT pg_relation_size('consent_log_entry')")).scalar_one()
        assert size > 1 << 20, "else the journal would get full first, which ends the server"
        engine.dispose()
        postgres.stop(folder)
        postgres.go_on(folder, largest_file=size + (8 << 10))
        with writers(engine) as running:
            for _ in range(20):
                if not running.live(1.0, "start"):
                    break
            else:
                raise AssertionError("the disk never got full")
            assert running.acknowledged
            assert running.live(0.5, "start") == 0, "and stays full"
            engine.dispose()
            postgres.stop(folder)
            postgres.go_on(folder)
            assert running.live(0.5, "first"), "with room it goes on"
        check(engine, running.acknowledged)
    finally:
        engine.dispose()
        postgres.stop(folder)


FAULTS = [
    *(("sqlite", name) for name in ("locked", "read-only", "full", "gone")),
    *(("postgresql", name) for name in ("read-only", "gone")),
]


@pytest.mark.parametrize(("empty_database_url", "name"), FAULTS, indirect=["empty_database_url"])
def test_a_database_that_fails_and_heals_has_all_or_nothing(engine: Engine, name: str) -> None:
    """Whatever cannot be written is refused as a whole, in both ways of writing, and afterwards writing goes on."""
    with engine.begin() as connection:
        purpose_id = Town(connection, new_signer()).purpose()
    engine.dispose()
    database = Database(engine.url.render_as_string(hide_password=False))
    acknowledged = [write(database, purpose_id, number, NOW) for number in range(4)]
    refused = 0
    with fault(database, name):
        for number in range(200 if name == "full" else 6):
            try:
                acknowledged.append(write(database, purpose_id, number, NOW))
            except Exception:  # noqa: BLE001 - the driver's own, or SQLAlchemy's
                refused += 1
    assert refused >= 4
    for number in range(6):
        try:
            acknowledged.append(write(database, purpose_id, number, NOW))
        except Exception:  # noqa: BLE001 - a connection that the server ended says so once
            acknowledged.append(write(database, purpose_id, number, NOW))
    while integrate(database, NOW):
        pass
    database.close()
    check(engine, acknowledged)


def test_a_server_that_crashes_and_comes_back_has_kept_its_word(run_folder: Path) -> None:
    """PostgreSQL stopped in the middle of commits as by a loss of power, three times; the writer goes on each time."""
    folder = run_folder / f"crashing-{os.getpid()}"
    cluster = postgres.start(folder)
    engine = create_engine(cluster.create("denizen"))
    try:
        _make_durable(engine)
        with engine.begin() as connection:
            _furnish(connection)
        with writers(engine) as running:
            for _ in range(3):
                engine.dispose()
                running.begin(5.0)
                time.sleep(1.0)
                postgres.stop(folder)
                time.sleep(0.2)
                postgres.go_on(folder)
                assert running.end()
        check(engine, running.acknowledged)
    finally:
        engine.dispose()
        postgres.stop(folder)


def _make_durable(engine: Engine) -> None:
    """As a town runs it: the cluster of the tests trades safety for speed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = 'on'"))
        connection.execute(text("SELECT pg_reload_conf()"))


def test_a_clock_that_jumps_loses_and_doubles_nothing(engine: Engine) -> None:
    """Set back by days, or years ahead, in the middle of writing; only the times themselves may look odd afterwards."""
    with engine.begin() as connection:
        purpose_id = Town(connection, new_signer()).purpose()
    database = Database(engine.url.render_as_string(hide_password=False))
    acknowledged, instants = [], (0, 30 * HOUR, -48 * HOUR, 5, 9000 * HOUR, -1, 0, HOUR // 2, -HOUR)
    for number, jump in enumerate(instants * 3):
        acknowledged += [write(database, purpose_id, number + more, NOW + jump) for more in range(3)]
        if number % 2:
            integrate(database, NOW + jump)
    with pytest.raises((DBAPIError, OverflowError, ValueError)):
        write(database, purpose_id, 1, 2**63)
    database.close()
    check(engine, acknowledged, findings=["back-dated"])
