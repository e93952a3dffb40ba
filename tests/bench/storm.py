"""A login storm: three times as many sign-ins as the server can check, while partners refresh and read the keys.

First a closed loop finds how many sign-ins a second there can be; then they come three times as often, whether or not
earlier ones were answered, as people do. Both spans carry the same refreshes, so that they can be compared.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tests.bench.figures import percentile
from tests.bench.forms import forms_of
from tests.bench.httpc import HttpAgent
from tests.bench.target import Visitor, residents
from tests.bench.workloads import DEVICE, FlowError, Refresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.bench.agent import Response
    from tests.bench.drivers.base import Driver
    from tests.bench.target import Resident, Target

TIMES = 3
#: Sign-ins under way in the closed loop: enough to keep every core at it, too few to be shed.
CLOSED = 8
#: Browsers with an open sign-in page; a storm needs as many as are answered at the same time.
BROWSERS = 192
PARTNERS, REFRESH_PAUSE = 4, 0.05
GRACE = 30.0


@dataclass(slots=True)
class Span:
    """What came of one span; latencies in milliseconds."""

    seconds: float = 0.0
    sent: int = 0
    #: CPU seconds of the server with its database, and of the load generator, which takes them from the same machine.
    server_cpu: float = 0.0
    load_cpu: float = 0.0
    signed_in: list[float] = field(default_factory=list)
    shed: list[float] = field(default_factory=list)
    refreshed: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.signed_in) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Storm:
    """The verdict's figures: sign-ins a second, per cent, milliseconds."""

    capacity: float
    goodput: float
    asked: float
    lost_percent: float
    shed_p99: float
    refresh_p99: float
    sign_in_p99: float
    shed: int
    errors: tuple[str, ...]
    #: CPU seconds a second, calm and in the storm: the server's, and the load generator's beside it.
    server_cores: tuple[float, float] = (0.0, 0.0)
    load_cores: tuple[float, float] = (0.0, 0.0)


class Person:
    """Somebody with a browser on the sign-in page, who sends it again and again."""

    def __init__(self, resident: Resident) -> None:
        self.agent = HttpAgent()
        self._resident = resident
        self._form: dict[str, str] = {}
        self._cookie = ""

    async def open_page(self, target: Target) -> None:
        """Load the page and keep its form and the browser's cookie."""
        url = urljoin(target.issuer, "/login")
        page = await self.agent.get(url)
        form = next(one for one in forms_of(page.body) if one.button("login-submit"))
        typed = {"username": self._resident.username, "password": self._resident.password}
        self._form = {name: typed.get(name, value) for name, value in form.fields.items()}
        self._cookie = page.set_cookies[0].partition(";")[0]

    async def send(self, target: Target) -> Response:
        """One sign-in on the resident's own device, without a session."""
        self.agent.cookies.clear(but=DEVICE)
        self.agent.cookies.store(self._cookie)
        return await self.agent.post(urljoin(target.issuer, "/login"), self._form)


async def measure(driver: Driver, *, seconds: float, repeat: int) -> Storm:
    """Capacity and storm in turn, `repeat` times; the medians of what each pair says would hide a bad one, so the sums count."""
    people = [Person(residents()[i % len(residents())]) for i in range(BROWSERS)]
    partners = [Visitor(HttpAgent(), residents()[i]) for i in range(PARTNERS)]
    try:
        for person in people:
            await person.open_page(driver.target)
            # Whoever signs in on a new device is told of it, by mail: not what a storm is made of.
            await person.send(driver.target)
        for partner in partners:
            await Refresh().setup(driver.target, partner)
        await _span(driver.target, people, partners, seconds=2.0, rate=None)
        calm, storm = Span(), Span()
        for _ in range(repeat):
            before = await _accounted(driver, people, partners, seconds=seconds, rate=None)
            _add(calm, before)
            rate = TIMES * before.per_second
            _add(storm, await _accounted(driver, people, partners, seconds=seconds, rate=rate))
        return _judged(calm, storm)
    finally:
        for one in (*people, *partners):
            one.agent.close()  # type: ignore[attr-defined]


def _add(total: Span, one: Span) -> None:
    total.seconds += one.seconds
    total.sent += one.sent
    total.server_cpu += one.server_cpu
    total.load_cpu += one.load_cpu
    for name in ("signed_in", "shed", "refreshed", "errors"):
        getattr(total, name).extend(getattr(one, name))


def _judged(calm: Span, storm: Span) -> Storm:
    lost = 100 * max(0.0, 1 - storm.per_second / calm.per_second) if calm.per_second else 100.0
    asked = storm.sent / storm.seconds
    errors = [*calm.errors, *storm.errors]
    if asked < 0.9 * TIMES * calm.per_second:
        errors.append(f"the load generator sent {asked:.0f}/s instead of {TIMES * calm.per_second:.0f}/s")
    return Storm(
        capacity=calm.per_second,
        goodput=storm.per_second,
        asked=asked,
        lost_percent=lost,
        shed_p99=percentile(sorted(storm.shed), 0.99),
        refresh_p99=percentile(sorted(storm.refreshed), 0.99),
        sign_in_p99=percentile(sorted(storm.signed_in), 0.99),
        shed=len(storm.shed),
        errors=tuple(dict.fromkeys(errors)),
        server_cores=(calm.server_cpu / calm.seconds, storm.server_cpu / storm.seconds),
        load_cores=(calm.load_cpu / calm.seconds, storm.load_cpu / storm.seconds),
    )


async def _accounted(
    driver: Driver, people: list[Person], partners: list[Visitor], *, seconds: float, rate: float | None
) -> Span:
    """A span, and who used the processors meanwhile."""

    def spent() -> tuple[float, float]:
        return (driver.server_cpu_ms() + driver.database_cpu_ms()) / 1000, time.process_time()

    before = spent()
    span = await _span(driver.target, people, partners, seconds=seconds, rate=rate)
    span.server_cpu, span.load_cpu = (now - then for now, then in zip(spent(), before, strict=True))
    return span


async def _span(
    target: Target, people: list[Person], partners: list[Visitor], *, seconds: float, rate: float | None
) -> Span:
    """So many seconds: a closed loop without a rate, else arrivals at that rate. Only what ends in time counts."""
    span, start = Span(), time.perf_counter()
    until = start + seconds
    async with asyncio.timeout(seconds + GRACE):
        background = [asyncio.create_task(_refresh(target, one, until, span)) for one in partners]
        if rate is None:
            await asyncio.gather(*(_loop(target, person, until, span) for person in people[:CLOSED]))
        else:
            await _arrivals(target, people, rate, (start, until), span)
        await asyncio.gather(*background)
    span.seconds = seconds
    return span


async def _loop(target: Target, person: Person, until: float, span: Span) -> None:
    while time.perf_counter() < until:
        await _one(target, person, until, span)


async def _arrivals(
    target: Target, people: list[Person], rate: float, within: tuple[float, float], span: Span
) -> None:
    idle, running = list(people), set[asyncio.Task[None]]()

    async def visit(person: Person) -> None:
        await _one(target, person, within[1], span)
        idle.append(person)

    async for _ in _ticks(rate, within):
        if not idle:
            span.errors.append(f"more than {BROWSERS} sign-ins wait for an answer")
            continue
        task = asyncio.create_task(visit(idle.pop(0)))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _ticks(rate: float, within: tuple[float, float]) -> AsyncIterator[None]:
    for due in _instants(rate, within):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        yield


def _instants(rate: float, within: tuple[float, float]) -> Iterator[float]:
    start, until = within
    count = int(rate * (until - start))
    return (start + number / rate for number in range(count))


async def _one(target: Target, person: Person, until: float, span: Span) -> None:
    span.sent += 1
    start = time.perf_counter()
    try:
        answer = await person.send(target)
    except (OSError, FlowError) as error:
        span.errors.append(f"{type(error).__name__}: {error}")
        return
    spent = (time.perf_counter() - start) * 1000
    if answer.status == 503 and answer.headers.get("retry-after"):
        span.shed.append(spent)
    elif answer.status == 303:
        if start + spent / 1000 <= until:
            span.signed_in.append(spent)
    else:
        span.errors.append(f"sign-in: HTTP {answer.status} {answer.body[:200]!r}")


async def _refresh(target: Target, partner: Visitor, until: float, span: Span) -> None:
    while (start := time.perf_counter()) < until:
        try:
            await Refresh().flow(target, partner)
        except FlowError as error:
            span.errors.append(str(error))
            return
        span.refreshed.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(REFRESH_PAUSE)
