"""The two `denizen serve` processes of the demo: started, watched until they answer, ended."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from admin.sandbox.child import BEGIN, PROGRAM

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

READY_WITHIN: Final = 60.0
#: Granian lets requests at hand finish for up to 30 s; then it ends in any case.
_ENDS_WITHIN: Final = 40.0
_LOOK_EVERY: Final = 0.03


class ChildEnded(Exception):
    """A process ended that should serve; the text says which."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running `denizen serve --only …`."""

    name: str
    port: int
    page: str
    process: subprocess.Popen[bytes]
    host: str = "127.0.0.1"
    #: For a town that speaks TLS itself.
    tls: ssl.SSLContext | None = None

    def begin(self) -> None:
        """Let it serve: the town is ready."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which `check_alive` tells
            self.process.stdin.write(BEGIN)
            self.process.stdin.flush()


def start_children(settings: Path, *, residents: int, staff: int) -> list[Child]:
    """Start both apps; each makes itself ready and waits for `begin`."""
    return [
        Child("residents", residents, "/health", _start(settings, "residents")),
        Child("staff", staff, "/", _start(settings, "staff")),
    ]


def _start(settings: Path, only: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-c", PROGRAM]
    command += ["--config", str(settings), "serve", "--only", only]
    # What it says goes to standard error, so that standard output stays ours.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr.fileno())  # noqa: S603


def wait_until_ready(children: list[Child]) -> None:
    """Return once every app answers.

    Raises:
        ChildEnded: when one ends instead, or does not answer within a minute.
    """
    end = time.monotonic() + READY_WITHIN
    waiting = list(children)
    while waiting:
        check_alive(children)
        waiting = [child for child in waiting if not _answers(child)]
        if waiting and time.monotonic() > end:
            raise ChildEnded(f"The app for {waiting[0].name} does not answer on port {waiting[0].port}.")
        if waiting:
            time.sleep(_LOOK_EVERY)


def check_alive(children: list[Child]) -> None:
    """See that nothing has ended.

    Raises:
        ChildEnded: when something has.
    """
    for child in children:
        code = child.process.poll()
        if code is not None:
            raise ChildEnded(
                f"The app for {child.name} has ended (exit code {code}); what it said stands above."
            )


def stop_children(children: list[Child]) -> None:
    """End every app that runs, and wait until it has."""
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    end = time.monotonic() + _ENDS_WITHIN
    for child in children:
        try:
            child.process.wait(timeout=max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        if child.process.stdin is not None:
            child.process.stdin.close()


def _answers(child: Child) -> bool:
    connection = (
        http.client.HTTPConnection(child.host, child.port, timeout=5)
        if child.tls is None
        else http.client.HTTPSConnection(child.host, child.port, timeout=5, context=child.tls)
    )
    try:
        connection.request("GET", child.page, headers={"Host": f"localhost:{child.port}"})
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
