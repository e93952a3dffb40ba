"""A private PostgreSQL cluster with the default durability, for one server under load."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.children import Child, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Settings that differ from what initdb writes; fsync and synchronous_commit stay on.
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "256MB"}


def binaries() -> Path | None:
    """The folder of the newest installed PostgreSQL, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """One cluster in its own temporary folder. PostgreSQL refuses root, so root steps down to postgres."""

    def __init__(self, log: Path) -> None:
        found = binaries()
        if not found:
            raise RuntimeError(
                "PostgreSQL is not installed: its binaries are neither in the usual place nor on PATH"
            )
        self._binaries = found
        self._folder = Path(tempfile.mkdtemp(prefix="denizen-bench-pg-"))
        self._port = free_port()
        self._as_postgres: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        try:
            self._make()
            self._child = self._start(log)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def url(self) -> str:
        """Where a server connects."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int:
        return self._child.pid

    def stop(self) -> None:
        """End the cluster and remove its folder."""
        self._child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self) -> None:
        command = [f"{self._binaries}/initdb", "-D", f"{self._folder}/data", "-U", "postgres"]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [*self._as_postgres, *command], check=True, stdout=subprocess.DEVNULL, cwd=self._folder
        )

    def _start(self, log: Path) -> Child:
        command = [*self._as_postgres, f"{self._binaries}/postgres", "-D", f"{self._folder}/data"]
        for name, value in {**SETTINGS, "port": str(self._port)}.items():
            command += ["-c", f"{name}={value}"]
        child = Child(command, log=log, folder=self._folder, stop_signal=signal.SIGINT)
        probe = [f"{self._binaries}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        for _ in range(150):
            if subprocess.run(probe, check=False).returncode == 0:
                return child
            child.check()
            time.sleep(0.1)
        child.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{child.last_words()}")


def each_database(wanted: str, folder: Path) -> Iterator[tuple[str, str]]:
    """What `--database` asks for, `sqlite`, `postgresql` or `both`: each kind and its address, with a server while it lasts."""
    if wanted != "postgresql":
        yield "sqlite", f"sqlite:///{folder}/bench.sqlite"
    if wanted == "sqlite":
        return
    cluster = Cluster(folder / "postgresql.log")
    try:
        yield "postgresql", cluster.url.replace("postgresql://", "postgresql+psycopg://")
    finally:
        cluster.stop()
