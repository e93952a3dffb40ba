"""The gate: so many requests at once, and no thread that takes one only to queue with it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from idp import gate as gate_module
from idp.gate import Gate, aside

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20.0


class Server:
    """As the real one does it: each thread sends what the application returned, and forgets it before the next request."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.aside = threading.Event()
        self.come_back = threading.Event()
        self.gate = Gate(self._app, at_once=1)
        self.sent: SimpleQueue[str] = SimpleQueue()
        self.kept: list[Any] = []
        self.ready: SimpleQueue[str] = SimpleQueue()
        self.entered: SimpleQueue[str] = SimpleQueue()
        self._pool = ThreadPoolExecutor(4)

    def _app(self, environ: dict[str, Any], _start_response: Any) -> Any:
        self.entered.put(environ["name"])
        if environ["name"] == "first":
            assert self.let_go.wait(PATIENCE)
        if environ["name"] == "slow":
            assert self.come_back.wait(PATIENCE)
        if environ["name"] == "sign-in":
            with aside():
                self.aside.set()
                assert self.come_back.wait(PATIENCE)
        parts = [environ["name"].encode()]
        return iter(parts) if environ.get("streams") else parts

    def ask(self, name: str, **more: Any) -> None:
        self._pool.submit(self._serve, name, more)

    def _serve(self, name: str, more: dict[str, Any]) -> None:
        answer = self.gate({"name": name, **more}, None)
        self.sent.put(b"".join(answer).decode())
        if more.get("is_kept"):
            self.kept.append(answer)
        del answer
        self.ready.put(name)

    def ask_first(self, **more: Any) -> None:
        """A request that takes until it is let go."""
        self.ask("first", **more)
        assert self.entered.get(timeout=PATIENCE) == "first"

    def first_and_one_who_waits(self, second: str = "second", **first: Any) -> None:
        """Two requests at a gate for one; the first is let go when the second stands in line."""
        self.ask_first(**first)
        self.ask(second)
        deadline = time.monotonic() + PATIENCE
        while not self.gate._waiting:
            assert time.monotonic() < deadline, "the second was let through beside the first"
            threading.Event().wait(0.001)
        self.let_go.set()
        assert self.entered.get(timeout=PATIENCE) == second

    def close(self) -> None:
        self.come_back.set()
        self._pool.shutdown()


@pytest.fixture
def look_every() -> float:
    """So often the watch looks after requests that take long: never, in most tests."""
    return PATIENCE


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, look_every: float) -> Iterator[Server]:
    monkeypatch.setattr(gate_module, "_REST_FOR", PATIENCE)
    monkeypatch.setattr(gate_module, "_LOOK_EVERY", look_every)
    made = Server()
    yield made
    made.gate._wake.put(None)
    made.close()


def test_a_thread_that_is_not_needed_rests_once_its_answer_is_sent(server: Server) -> None:
    """Whoever stood in line goes on with a thread of its own: the other would only queue with the next request."""
    server.first_and_one_who_waits()
    assert {server.sent.get(timeout=PATIENCE) for _ in range(2)} == {"first", "second"}
    assert server.ready.get(timeout=PATIENCE) == "second"
    assert server.ready.empty()
    assert server.gate.free == 1


def test_a_resting_thread_goes_on_when_another_stands_aside(server: Server) -> None:
    """A sign-in that waits for its password check leaves its place, and somebody must be there to take it."""
    server.first_and_one_who_waits("sign-in")
    assert server.aside.wait(PATIENCE)
    assert server.ready.get(timeout=PATIENCE) == "first"
    assert server.gate.free == 1
    server.come_back.set()
    assert server.ready.get(timeout=PATIENCE) == "sign-in"
    assert server.gate.free == 1


def test_a_resting_thread_looks_in_after_a_while(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends threads without work; those that rest must be back before all others are gone."""
    monkeypatch.setattr(gate_module, "_REST_FOR", 0.01)
    server.first_and_one_who_waits()
    assert {server.ready.get(timeout=PATIENCE) for _ in range(2)} == {"first", "second"}
    assert server.gate._resting == 0


def test_whoever_sends_a_long_answer_piece_by_piece_does_not_rest(server: Server) -> None:
    """The thread may not be the one that lets go of it."""
    server.first_and_one_who_waits(streams=True)
    assert {server.ready.get(timeout=PATIENCE) for _ in range(2)} == {"first", "second"}


@pytest.mark.parametrize("second", ["second", "sign-in"])
def test_another_thread_that_lets_go_of_an_answer_never_rests(server: Server, second: str) -> None:
    """Such as the one that serves the network: with it everything would stand still. Nor is the call of a sign-in lost."""
    server.first_and_one_who_waits(second, is_kept=True)
    assert server.ready.get(timeout=PATIENCE) == "first"
    if second == "sign-in":
        assert server.aside.wait(PATIENCE)
    before = time.monotonic()
    server.kept.clear()
    assert time.monotonic() - before < PATIENCE / 2
    assert server.gate._resting == 0
    assert server.gate._wake.empty()


@pytest.mark.parametrize("look_every", [0.01])
def test_a_request_that_takes_long_loses_its_place_and_goes_on(server: Server) -> None:
    """A slow page must not stop the town. When it is done, it has no place to give."""
    server.ask_first()
    server.ask("second")
    assert server.ready.get(timeout=PATIENCE) == "second"
    assert server.gate.free == 1
    server.let_go.set()
    assert server.ready.get(timeout=PATIENCE) == "first"
    assert server.gate.free == 1


@pytest.mark.parametrize("look_every", [0.01])
def test_a_request_that_takes_long_wakes_a_resting_thread(server: Server) -> None:
    """Nobody stands in line who could be let through, and one must be there for whoever comes next."""
    server.ask("slow")
    assert server.entered.get(timeout=PATIENCE) == "slow"
    with server.gate._lock:
        server.gate._resting += 1
    assert server.gate._wake.get(timeout=PATIENCE) is None
    assert (server.gate.free, server.gate._resting) == (1, 0)


def test_what_a_request_has_is_for_others_while_it_stands_aside() -> None:
    """A queue of password checks would else hold a connection each."""
    done: list[str] = []

    def app(_environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        done.append("asks")
        with aside():
            done.append("waits")
        done.append("goes on")
        return []

    Gate(app, at_once=1, afterwards=lambda: done.append("gives back"))({}, None)
    assert done == ["asks", "gives back", "waits", "goes on", "gives back"]
