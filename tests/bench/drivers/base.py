"""What every driver does: a folder, perhaps a database, a server that can be started again and again."""

from __future__ import annotations

import json
import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, Self
from urllib.request import urlopen

from tests.bench import procstat
from tests.bench.children import Child, free_port, wait_for_answer
from tests.bench.postgres import Cluster
from tests.bench.target import Target

DatabaseKind = Literal["sqlite", "postgresql"]


class Driver(ABC):
    """One provider with one kind of database. Use it as a context: it prepares, and cleans up."""

    name: str

    def __init__(self, database: DatabaseKind) -> None:
        self.database = database
        # SQLite has one writer; the reference figures were taken with one process and with two.
        self.workers = 1 if database == "sqlite" else 2
        self.port = free_port()
        self.target = Target(f"http://127.0.0.1:{self.port}")
        self.folder = Path()
        self._cluster: Cluster | None = None
        self._server: Child | None = None

    @abstractmethod
    def prepare(self, database_url: str) -> None:
        """Make the provider's files, tables, clients and residents. `database_url` is empty for SQLite."""

    @abstractmethod
    def launch(self) -> Child:
        """Execute the server."""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"denizen-bench-{self.name}-"))
        try:
            if self.database == "postgresql":
                self._cluster = Cluster(self.folder / "postgresql.log")
            self.prepare(self._cluster.url if self._cluster else "")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_server()
        if self._cluster:
            self._cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self) -> float:
        """Start the server and wait for discovery.

        Returns the seconds from its execution to the first answer.
        """
        self._server = self.launch()
        seconds = wait_for_answer(self._server, self.target.discovery_url)
        with urlopen(self.target.discovery_url, timeout=10) as answer:
            self.target.endpoints = json.load(answer)
        return seconds

    def stop_server(self) -> None:
        """End the server; the database stays."""
        if self._server:
            self._server.stop()
            self._server = None

    def check(self) -> None:
        """Raise RuntimeError when the server has ended by itself."""
        if self._server:
            self._server.check()

    def server_cpu_ms(self) -> float:
        return procstat.cpu_ms([self._server.pid]) if self._server else 0.0

    def hashing_cpu_ms(self) -> float:
        """Of the server's what went into checking passwords, where that can be told."""
        return 0.0

    def database_cpu_ms(self) -> float:
        return procstat.cpu_ms([self._cluster.pid]) if self._cluster else 0.0

    def memory_mb(self) -> tuple[float, float]:
        """PSS and RSS of the server's processes in MiB, without the database."""
        roots = [self._server.pid] if self._server else []
        return procstat.pss_mb(roots), procstat.rss_mb(roots)
