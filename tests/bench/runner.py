"""The closed loop: each visitor starts its next flow when the last one is answered.

Servers are compared interleaved (A B A B): the machine's speed changes within minutes,
so only neighbouring spans of one run say anything about each other.
"""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bench import procstat
from tests.bench.figures import Repeat, percentile
from tests.bench.httpc import HttpAgent
from tests.bench.target import Visitor, residents
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.drivers.base import Driver
    from tests.bench.workloads import Workload

#: Sign-ins under way at the same time while a workload is set up.
SETUP_AT_ONCE = 4
#: Seconds for the set-up, and for the flows still under way when a span ends.
SETUP_LIMIT, GRACE = 180.0, 60.0
#: A server that has only failed this often is not asked on.
HOPELESS = 50


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often to measure, and how much of other people's load to bear."""

    seconds: float = 5.0
    repeat: int = 3
    concurrency: int = 16
    #: A just-in-time compiler is still getting faster for some seconds.
    warmup: float = 4.0
    #: Per cent of one core used by others above which a span is measured again.
    noise_limit: float = 25.0
    #: Seconds to wait for a quiet machine before each span, and spans that may be taken again.
    quiet_for: float = 10.0
    spare: int = 2


@dataclass(slots=True)
class Burst:
    """What came of one span of load; latencies in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def hopeless(self) -> bool:
        return len(self.errors) > HOPELESS and not self.latencies


class Load:
    """One workload's visitors at one server."""

    def __init__(self, driver: Driver, workload: Workload, concurrency: int) -> None:
        self.driver = driver
        self._workload = workload
        people = residents()
        self._agents = [HttpAgent() for _ in range(concurrency)]
        self._visitors = [Visitor(agent, people[i % len(people)]) for i, agent in enumerate(self._agents)]

    async def set_up(self) -> None:
        """Sign every visitor in, or whatever the workload needs beforehand."""
        turn = asyncio.Semaphore(SETUP_AT_ONCE)

        async def one(visitor: Visitor) -> None:
            async with turn:
                await self._workload.setup(self.driver.target, visitor)

        async with asyncio.timeout(SETUP_LIMIT):
            await asyncio.gather(*(one(visitor) for visitor in self._visitors))

    async def run(self, seconds: float) -> Burst:
        """Load the server for so long."""
        burst = Burst()
        start = time.perf_counter()
        async with asyncio.timeout(seconds + GRACE):
            await asyncio.gather(
                *(self._visit(visitor, start + seconds, burst) for visitor in self._visitors)
            )
        burst.seconds = time.perf_counter() - start
        return burst

    async def _visit(self, visitor: Visitor, until: float, burst: Burst) -> None:
        while (start := time.perf_counter()) < until and not burst.hopeless:
            try:
                await self._workload.flow(self.driver.target, visitor)
            except Exception as error:  # noqa: BLE001 - whatever a server answers is counted, never fatal
                burst.errors.append(f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.01)
            else:
                burst.latencies.append((time.perf_counter() - start) * 1000)

    async def measure(self, seconds: float) -> Repeat:
        """Load the server for so long, with an account of everybody's CPU."""
        driver = self.driver
        calibration = procstat.calibration_ms()
        gc.collect()
        gc.disable()
        try:
            before = self._spent()
            burst = await self.run(seconds)
            machine, load, server, database, hashing = (
                now - then for now, then in zip(self._spent(), before, strict=True)
            )
        finally:
            gc.enable()
        pss, rss = driver.memory_mb()
        burst.latencies.sort()
        return Repeat(
            server=driver.name,
            database=driver.database,
            workload=self._workload.key,
            flows=len(burst.latencies),
            errors=len(burst.errors),
            seconds=burst.seconds,
            server_cpu=server,
            database_cpu=database,
            load_cpu=load,
            p50=percentile(burst.latencies, 0.50),
            p99=percentile(burst.latencies, 0.99),
            others_percent=max(0.0, machine - load - server - database) / burst.seconds / 10,
            calibration=(calibration + procstat.calibration_ms()) / 2,
            pss_mb=pss,
            rss_mb=rss,
            first_error=burst.errors[0] if burst.errors else "",
            hashing_cpu=hashing,
        )

    def _spent(self) -> tuple[float, float, float, float, float]:
        """CPU milliseconds so far: machine, load generator, server, database, and of the server's what hashes."""
        own, driver = time.process_time() * 1000, self.driver
        return (
            procstat.machine_busy_ms(),
            own,
            driver.server_cpu_ms(),
            driver.database_cpu_ms(),
            driver.hashing_cpu_ms(),
        )

    def close(self) -> None:
        for agent in self._agents:
            agent.close()


async def compare(
    drivers: Sequence[Driver],
    workload: str,
    pace: Pace,
    *,
    record: Callable[[Repeat], None],
    fail: Callable[[Driver, str, Exception], None],
    between: Callable[[], None] = lambda: None,
) -> None:
    """Measure one workload on all servers in turn. `between` runs after each round."""
    loads = []
    for driver in drivers:
        made = WORKLOADS[workload]()
        load = Load(driver, made, min(pace.concurrency, made.visitors))
        try:
            await load.set_up()
            await load.run(pace.warmup)
            loads.append(load)
        except Exception as error:  # noqa: BLE001 - one server's failure must not hide the other's figures
            fail(driver, workload, error)
            load.close()
    try:
        await _rounds(loads, pace, record, between)
    finally:
        for load in loads:
            load.close()


async def _rounds(
    loads: Sequence[Load], pace: Pace, record: Callable[[Repeat], None], between: Callable[[], None]
) -> None:
    spare = pace.spare
    for _ in range(pace.repeat):
        for load in loads:
            await procstat.wait_quiet(pace.noise_limit, pace.quiet_for)
            repeat = await load.measure(pace.seconds)
            if repeat.others_percent > pace.noise_limit and spare:
                spare -= 1
                repeat = await load.measure(pace.seconds)
            record(repeat)
        between()
