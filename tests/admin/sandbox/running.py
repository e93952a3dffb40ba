"""A demo in a process of its own, on free ports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from admin.sandbox.ports import Ports, is_taken
from tests.support.loopback import free_port

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from admin.cli import main; main()", "demo"]
SECONDS = 90


def free_ports() -> Ports:
    """Ports for a whole demo."""
    for _ in range(50):
        partners = free_port()
        if partners < 65_000 and not is_taken(partners + 1) and not is_taken(partners + 2):
            found = Ports(free_port(), free_port(), free_port(), partners)
            if len({port for _, port in found.named()}) == 6:
                return found
    raise AssertionError("no free ports")


def arguments(folder: Path, ports: Ports) -> list[str]:
    """The command line of a demo."""
    options = [f"{option}={port}" for option, port in ports.named()[:4]]
    return [*COMMAND, "--json", f"--folder={folder}", *options]


@dataclass
class Demo:
    """A running demo, and what it said about itself."""

    process: subprocess.Popen[str]
    said: dict[str, Any]
    ports: Ports

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal, and wait for its end; the exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=SECONDS)

    def rest(self) -> str:
        """What it wrote to standard output besides its one line, once it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def resident(self, username: str) -> dict[str, str]:
        """One of the residents."""
        found: dict[str, str] = next(one for one in self.said["residents"] if one["username"] == username)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def start_demo(folder: Path, ports: Ports, *more: str) -> Demo:
    """Start one, and return when it has said that everything answers."""
    log = folder.with_suffix(".log").open("w")
    with log:
        process = subprocess.Popen(
            [*arguments(folder, ports), *more],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        process.stdout.close()
        process.wait(timeout=SECONDS)
        raise AssertionError(folder.with_suffix(".log").read_text())
    return Demo(process, json.loads(line), ports)


def wait_until_free(ports: Ports) -> None:
    """Return once nobody listens on any of the ports."""
    end = time.monotonic() + SECONDS
    while any(is_taken(port) for _, port in ports.named()):
        assert time.monotonic() < end, "something still listens"
        time.sleep(0.05)
