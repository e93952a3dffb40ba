"""More than one process of a town: a second node here, and nodes of their own that are released together."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from idp.app import create_app, open_context
from idp.settings import Settings
from tests.support.town import ISSUER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from idp.web.pages import WebApp
    from tests.support.town import Town

NODES = 2
THREADS = 5
#: No race takes longer, in seconds; a node that hangs fails its test.
PATIENCE = 30


@contextmanager
def another_node(town: Town) -> Iterator[Town]:
    """The same town behind a second app: own connections, own caches, the same database and clock.

    As after a restart, nothing is known to it but what the database holds.
    """
    context = open_context(town.settings, clock=town.clock, checkpoints=False)
    yield replace(town, context=context, app=create_app(context))
    context.database.close()


@dataclass(frozen=True)
class Request:
    """A POST: a form, or JSON where that is given."""

    path: str
    form: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None


@dataclass(frozen=True)
class Reply:
    """What one of the parallel callers got; of a page no body."""

    status: int
    body: dict[str, Any]
    location: str = ""


class Nodes:
    """Two processes on one database; `all_at_once` sends one request from every thread of both."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def all_at_once(self, request: Request, now: int) -> list[Reply]:
        """The same request from 2 x 5 threads, released together when the last of them is ready."""
        return self.each_at_once([request] * (NODES * THREADS), now)

    def each_at_once(self, requests: Sequence[Request], now: int) -> list[Reply]:
        """As `all_at_once`, but each thread sends a request of its own: 2 x 5 of them."""
        for at, process in enumerate(self._processes):
            own = requests[at * THREADS : (at + 1) * THREADS]
            _say(process.stdin, {"requests": [asdict(one) for one in own], "now": now})
        for process in self._processes:
            assert _hear(process.stdout) == "ready"
        for process in self._processes:
            _say(process.stdin, "go")
        return [Reply(**reply) for process in self._processes for reply in _hear(process.stdout)]


@contextmanager
def two_nodes(town: Town) -> Iterator[Nodes]:
    """Two processes that serve the town until the block ends."""
    sources = _sources()
    for source in sources:
        _say(source.stdin, town.settings.model_dump(mode="json"))
    try:
        for source in sources:
            assert _hear(source.stdout) == "open"
        yield Nodes(sources)
        for source in sources:
            _say(source.stdin, "close")
        for source in sources:
            assert _hear(source.stdout) == "closed"
    except BaseException:
        _end(sources)  # whatever they are at
        raise


@cache
def _sources() -> tuple[subprocess.Popen[str], ...]:
    """Two processes that have imported everything and fork a node for each town, which takes seconds otherwise."""
    command = [sys.executable, "-m", "tests.support.nodes"]
    pipe, root = subprocess.PIPE, Path(__file__).parents[2]
    started = tuple(
        subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root, start_new_session=True)
        for _ in range(NODES)
    )
    atexit.register(_end, started)
    return started


def _end(sources: Sequence[subprocess.Popen[str]]) -> None:
    _sources.cache_clear()
    for source in sources:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(source.pid, signal.SIGKILL)
        with source:
            pass  # closes its pipes and waits for it


def _say(pipe: IO[str] | None, message: Any) -> None:
    assert pipe is not None
    pipe.write(json.dumps(message) + "\n")
    pipe.flush()


def _hear(pipe: IO[str] | None) -> Any:
    assert pipe is not None
    line = pipe.readline()
    assert line, "a node ended; its last words are above"
    return json.loads(line)


# --- what runs in a node ---


def _source() -> None:
    """Fork a node for each town, one after the other, until the parent closes the pipe."""
    while line := sys.stdin.readline():
        node = os.fork()
        if not node:
            _node(Settings(**json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(node, 0)
        if status:
            sys.exit("a node ended")
        _say(sys.stdout, "closed")


def _node(settings: Settings) -> None:
    """Answer the parent until it says that it is done."""
    now = [0]
    context = open_context(settings, clock=lambda: float(now[0]), checkpoints=False)
    app = create_app(context)
    _say(sys.stdout, "open")
    with ThreadPoolExecutor(THREADS) as pool:
        while (task := _hear(sys.stdin)) != "close":
            now[0] = task["now"]
            _run(app, pool, [Request(**one) for one in task["requests"]])
    context.database.close()


def _run(app: WebApp, pool: ThreadPoolExecutor, requests: Sequence[Request]) -> None:
    arrived, gate = threading.Semaphore(0), threading.Barrier(THREADS + 1, timeout=PATIENCE)

    def call(request: Request) -> dict[str, Any]:
        app.extensions["denizen"].database.fast  # noqa: B018 - connect before the start, not in the race
        client = app.test_client(use_cookies=False)
        arrived.release()
        gate.wait()
        sent: dict[str, Any] = {"data": request.form} if request.json is None else {"json": request.json}
        answer = client.post(request.path, headers=request.headers, base_url=ISSUER, **sent)
        return {"status": answer.status_code, "body": answer.json, "location": answer.location or ""}

    running = [pool.submit(call, request) for request in requests]
    assert all(arrived.acquire(timeout=PATIENCE) for _ in running), "a thread did not get ready"
    _say(sys.stdout, "ready")
    assert _hear(sys.stdin) == "go"
    gate.wait()
    _say(sys.stdout, [one.result() for one in running])


if __name__ == "__main__":
    _source()
