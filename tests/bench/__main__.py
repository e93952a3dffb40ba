"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tests.bench import storm
from tests.bench.arguments import between, workload_list
from tests.bench.drivers.base import DatabaseKind
from tests.bench.drivers.denizen import Denizen
from tests.bench.drivers.node_install import PeerMissingError
from tests.bench.drivers.node_oidc import NodeOidc
from tests.bench.results import Results, say
from tests.bench.runner import Pace, compare
from tests.bench.table import table
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.drivers.base import Driver

STARTS = 5
#: What is measured apart, by a module and a command of that name: `python -m tests.bench log --help`.
APART = ("growth", "log", "officer", "privacy")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of one run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="What Denizen costs, beside node-oidc-provider, on this machine. Loads loopback only.",
    )
    option = parser.add_argument
    option(
        "--workloads", type=workload_list, default=list(WORKLOADS), metavar="A,B", help=", ".join(WORKLOADS)
    )
    option("--database", choices=(*get_args(DatabaseKind), "both"), default="both")
    option("--seconds", type=between(0.5, 120), default=5, help="length of one measured span")
    option("--repeat", type=between(1, 20, int), default=3, help="spans of each server and workload")
    option("--concurrency", type=between(1, 256, int), default=16, help="visitors of the closed loop")
    option("--no-storm", action="store_true", help="leave the login storm out")
    option("--no-peer", action="store_true", help="measure Denizen alone: no ratios then")
    option("--out", type=Path, metavar="FILE.jsonl", help="append every span as a line of JSON")
    option(
        "--profile",
        action="store_true",
        help="in one process instead, on SQLite unless --database says otherwise: cost of each endpoint, and a profile",
    )
    return parser.parse_args(arguments)


def open_drivers(stack: ExitStack, database: DatabaseKind, results: Results, *, peer: bool) -> list[Driver]:
    """Prepare the servers that can be had here; what cannot is noted as failed."""
    drivers: list[Driver] = []
    for kind in (Denizen, NodeOidc) if peer else (Denizen,):
        say(f"preparing {kind.name} on {database}")
        try:
            drivers.append(stack.enter_context(kind(database)))
        except (RuntimeError, OSError, PeerMissingError) as error:
            results.fail(f"{kind.name}, {database}, preparing: {error}")
    return drivers


def time_starts(drivers: Sequence[Driver], results: Results) -> list[Driver]:
    """Start every server a few times in turn, and leave those that work running."""
    working = list(drivers)
    for turn in range(STARTS):
        for driver in tuple(working):
            driver.stop_server()
            try:
                seconds = driver.start_server()
            except RuntimeError as error:
                results.fail(f"{driver.name}, {driver.database}, starting: {error}")
                working.remove(driver)
                continue
            results.startups.setdefault((driver.database, driver.name), []).append(seconds)
            results.write(
                {"startup": seconds, "server": driver.name, "database": driver.database, "turn": turn}
            )
    return working


def run_database(database: DatabaseKind, options: argparse.Namespace, results: Results) -> None:
    """All workloads on one kind of database."""
    pace = Pace(seconds=options.seconds, repeat=options.repeat, concurrency=options.concurrency)
    with ExitStack() as stack:
        drivers = time_starts(open_drivers(stack, database, results, peer=not options.no_peer), results)
        for driver in drivers:
            results.notes[database, driver.name] = driver.target.notes
        if drivers:
            asyncio.run(run_workloads(drivers, options.workloads, pace, results))
        ours = [driver for driver in drivers if isinstance(driver, Denizen)]
        if ours and not options.no_storm:
            asyncio.run(run_storm(ours[0], pace, results))
        for driver in drivers:
            results.memory[database, driver.name] = driver.memory_mb()


async def run_workloads(
    drivers: Sequence[Driver], workloads: Sequence[str], pace: Pace, results: Results
) -> None:
    """The workloads one after another; Argon2id is measured beside the sign-ins that it dominates."""
    database = drivers[0].database

    def argon2() -> None:
        from tests.bench.alone import argon2_crowded_ms, argon2_ms

        results.argon2.setdefault(database, []).extend(argon2_ms())
        results.argon2_crowded.setdefault(database, []).extend(argon2_crowded_ms())

    def signature() -> None:
        from tests.bench.alone import signature_ms

        results.signature.setdefault(database, []).extend(signature_ms())

    alone = {"password": argon2, "passkey": signature}
    for workload in workloads:
        able = [one for one in drivers if isinstance(one, Denizen) or not WORKLOADS[workload].is_ours_alone]
        beside = alone.get(workload, lambda: None)
        await compare(able, workload, pace, record=results.add, fail=results.fail_workload, between=beside)


async def run_storm(driver: Driver, pace: Pace, results: Results) -> None:
    """Three times as many sign-ins as there can be."""
    try:
        found = await storm.measure(driver, seconds=pace.seconds, repeat=pace.repeat)
    except Exception as error:  # noqa: BLE001 - what can be measured otherwise is printed all the same
        results.fail_workload(driver, "storm", error)
        return
    results.storms[driver.database] = found
    results.write({"storm": asdict(found), "database": driver.database})
    for text in found.errors:
        results.fail(f"{driver.name}, {driver.database}, storm: {text}")


def main() -> int:
    """Run, print the table; 1 when something could not be measured or was answered wrongly."""
    if sys.argv[1:2] and sys.argv[1] in APART:
        measured: int = import_module(f"tests.bench.{sys.argv[1]}").main(sys.argv[2:])
        return measured
    options = parse(sys.argv[1:])
    # So that a terminated run ends its servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.profile:
        from tests.bench.inprocess import profile

        profile(options.workloads, options.database)
        return 0
    results = Results(options.out)
    databases = get_args(DatabaseKind) if options.database == "both" else (options.database,)
    try:
        for database in databases:
            run_database(database, options, results)
    except KeyboardInterrupt:
        results.fail("the run was interrupted: the figures are incomplete")
    print(table(results))
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
