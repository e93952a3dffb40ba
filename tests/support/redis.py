"""A private Redis for one test run: own port, loopback only, nothing on disk."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.loopback import free_port
from tests.support.tied import Tied

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0


class RedisMissing(Exception):
    """No server program on this machine; `make test` installs it or says how."""


@dataclass
class RedisServer:
    """A server that a test may end and start again on the same port; what it held is gone then."""

    folder: Path
    port: int
    process: Tied | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it; returns when it answers."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise RedisMissing("redis-server is missing: run tests/support/system.sh")
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "logfile": self.folder / "redis.log",
        }
        command = [program, *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
        self.process = Tied(command, log=self.folder / "complaints.log", cwd=ROOT)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            self.process.check()
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.stop()
            self.process = None

    def flush(self) -> None:
        """Forget everything it holds."""
        with self._client() as client:
            client.flushall()

    def held(self) -> list[str]:
        """The names of everything it holds."""
        with self._client() as client:
            return [key.decode() for key in client.keys("*")]

    def lives(self, key: str) -> int:
        """Seconds until it forgets a key by itself; below zero when it never does."""
        with self._client() as client:
            return int(client.ttl(key))

    def _answers(self) -> bool:
        from redis.exceptions import RedisError

        try:
            with self._client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def _client(self) -> Any:
        from redis import Redis

        return Redis(port=self.port, socket_timeout=2)


def new_server(folder: Path) -> RedisServer:
    """A server that is not started yet."""
    return RedisServer(folder, free_port())
