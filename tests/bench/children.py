"""The processes that the benchmark starts, and ends: by their own handles, never by a name."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Seconds until a stubborn child is killed.
PATIENCE = 10.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def small_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """An environment that holds only what a server needs: a server may copy it into every request."""
    kept = {name: value for name in ("PATH", "HOME", "LANG", "TMPDIR") if (value := os.getenv(name))}
    return {**kept, **extra}


class Child:
    """One started process and its descendants. Its output goes to `log`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.started_at = time.perf_counter()
        self._log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=small_environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise RuntimeError with the end of the log when the process has ended by itself."""
        if (code := self._process.poll()) is not None:
            raise RuntimeError(f"the process ended with {code}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        """Ask the process to end; kill its own group when it does not."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(PATIENCE)


def wait_for_answer(child: Child, url: str, *, within: float = 60.0, pause: float = 0.01) -> float:
    """Poll `url` until it answers 200.

    Returns the seconds since the child was executed.

    Raises:
        RuntimeError: when the child ends, or does not answer within the time.

    """
    while (waited := time.perf_counter() - child.started_at) < within:
        if _answers(url):
            return time.perf_counter() - child.started_at
        child.check()
        time.sleep(pause)
    raise RuntimeError(f"{url} did not answer within {waited:.0f} s:\n{child.last_words()}")


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
