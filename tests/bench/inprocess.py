"""Where the time goes: the resident app called through WSGI in this process, one thread.

No sockets and no second thread, so a request's CPU time is the app's own; on PostgreSQL the database's is not in
it. First every workload is timed without a profiler, then the first of them runs under cProfile, which inflates small functions:
read the first table for cost, the second for proportion.
"""

from __future__ import annotations

import asyncio
import cProfile
import io
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.bench import town
from tests.bench.agent import Agent, Response
from tests.bench.figures import percentile
from tests.bench.postgres import Cluster
from tests.bench.procstat import calibration_ms
from tests.bench.target import Target, Visitor, residents
from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from wsgiref.types import WSGIApplication

    from idp.web.context import Context

PORT = 8400
#: Flows per workload; a sign-in is thirty times a refresh.
FLOWS = {"password": 20, "login": 20}
FLOWS_OTHERWISE = 400
WARMUP = 20
TOP = 25


class WsgiAgent(Agent):
    """Calls the app directly and notes the CPU milliseconds of each request under its endpoint's name."""

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self._app = app
        self.spent: dict[str, list[float]] = defaultdict(list)
        self.profiler: cProfile.Profile | None = None

    async def send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
        """One WSGI call, timed from the call to the end of the body."""
        environ = _environ(method, url, headers, body)
        response = Response()
        if self.profiler:
            self.profiler.enable()
        start = time.process_time_ns()
        response.body = _called(self._app, environ, response)
        spent = time.process_time_ns() - start
        if self.profiler:
            self.profiler.disable()
        self.spent[_label(environ, body)].append(spent / 1e6)
        return response


def profile(workloads: Sequence[str], database: str) -> None:
    """Print the cost of every endpoint, then the hottest functions of the first workload."""
    with tempfile.TemporaryDirectory(prefix="denizen-bench-inprocess-") as name, ExitStack() as stack:
        folder, url = Path(name), ""
        if database == "postgresql":
            cluster = Cluster(folder / "postgresql.log")
            stack.callback(cluster.stop)
            url = cluster.url
        settings, secrets = town.make_town(folder, port=PORT, database_url=url, workers=1)
        app, _ = app_of(settings)
        target = Target(f"http://localhost:{PORT}", secrets=secrets)
        asyncio.run(_report(app, target, workloads))


def app_of(settings: Path) -> tuple[WSGIApplication, Context]:
    """The residents' app of a town as its settings have it, and what it works with."""
    from idp.app import create_app, open_context
    from idp.settings import load

    context = open_context(load(settings))
    return create_app(context), context


async def _report(app: WSGIApplication, target: Target, workloads: Sequence[str]) -> None:
    first = WsgiAgent(app)
    await target.discover(first)
    print("| workload | request | requests | CPU ms, median | best tenth |\n|---|---|---|---|---|")
    before = calibration_ms()
    for key in workloads:
        await _time_workload(app, target, key)
    print(f"\ncalibration {before:.0f} and {calibration_ms():.0f} ms")
    print(f"\n{workloads[0]} under cProfile, by own time:\n\n{await _profiled(app, target, workloads[0])}")


async def _time_workload(app: WSGIApplication, target: Target, key: str) -> None:
    agent = WsgiAgent(app)
    flows = FLOWS.get(key, FLOWS_OTHERWISE)
    await _flows(target, agent, key, flows)
    total = 0.0
    for label, spent in agent.spent.items():
        spent.sort()
        total += sum(spent) / flows
        print(f"| {key} | {label} | {len(spent)} | {median(spent):.3f} | {percentile(spent, 0.1):.3f} |")
    print(f"| {key} | **whole flow, mean** | {flows} | **{total:.3f}** | |")


async def _flows(target: Target, agent: WsgiAgent, key: str, flows: int) -> None:
    """Set up and warm up unnoted, then run so many flows."""
    workload = WORKLOADS[key]()
    visitor = Visitor(agent, residents()[0])
    await workload.setup(target, visitor)
    for _ in range(min(WARMUP, flows // 4)):
        await workload.flow(target, visitor)
    agent.spent.clear()
    for _ in range(flows):
        await workload.flow(target, visitor)


async def _profiled(app: WSGIApplication, target: Target, key: str) -> str:
    agent = WsgiAgent(app)
    # Not the resident who was timed: that one has a passkey by now, and would be asked for it.
    workload, visitor = WORKLOADS[key](), Visitor(agent, residents()[1])
    await workload.setup(target, visitor)
    agent.profiler = cProfile.Profile()
    for _ in range(FLOWS.get(key, FLOWS_OTHERWISE)):
        await workload.flow(target, visitor)
    text = io.StringIO()
    pstats.Stats(agent.profiler, stream=text).sort_stats("tottime").print_stats(TOP)
    return text.getvalue()


def _called(app: WSGIApplication, environ: dict[str, Any], response: Response) -> bytes:
    def start_response(
        status: str, headers: Sequence[tuple[str, str]], _: object = None
    ) -> Callable[[bytes], object]:
        response.status = int(status[:3])
        for name, value in headers:
            key = name.lower()
            if key == "set-cookie":
                response.set_cookies.append(value)
            elif key == "location":
                response.location = value
            else:
                response.headers[key] = value
        return lambda _: None

    answer: Iterable[bytes] = app(environ, start_response)  # type: ignore[arg-type]
    try:
        return b"".join(answer)
    finally:
        if close := getattr(answer, "close", None):
            close()


def _environ(method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A WSGI environment (PEP 3333) as a server on loopback would give it."""
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "HTTP_ACCEPT": "*/*",
        "CONTENT_LENGTH": str(len(body)) if method == "POST" else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _label(environ: dict[str, Any], body: bytes) -> str:
    """The request's name: method, path and, at the token endpoint, the grant type."""
    name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    grant = parse_qs(body.decode("latin-1")).get("grant_type", [""])[0]
    return f"{name} ({grant})" if grant else name
