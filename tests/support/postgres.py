"""A private PostgreSQL cluster for one test run: own data folder, own port, loopback only, no durability."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.loopback import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_LEAST = 14
OWNER = "denizen"
TEMPLATE = "denizen_template"
FOUNDED = "denizen_founded"

#: Speed over safety, which only tests may choose.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "timezone": "UTC",
}


class PostgresMissing(Exception):
    """No server programs on this machine; `make test` installs them or says how."""


@dataclass(frozen=True)
class Cluster:
    """A running server; `folder` holds its data, its socket and its log. `admin` is used again for each statement."""

    folder: Path
    port: int
    admin: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextlib.contextmanager
    def connected(self) -> Iterator[Cluster]:
        """The same, with one connection for all it does while the block lasts."""
        with self._connect() as admin:
            yield replace(self, admin=admin)

    def url(self, database: str) -> str:
        """The SQLAlchemy address of one of its databases."""
        return f"postgresql+psycopg://{OWNER}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Create a database and return its address. Nobody may be connected to the template."""
        # Before PostgreSQL 15 files were always copied. It costs half of writing all pages to the log.
        strategy = "STRATEGY file_copy" if _version(programs()) >= 15 else ""
        self._run(f'CREATE DATABASE "{database}" TEMPLATE "{template}" {strategy}')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database and whoever is still connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def has(self, database: str) -> bool:
        """Whether a database of that name exists."""
        with self._connect() as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        return row is not None

    def rename(self, database: str, new_name: str) -> None:
        """Rename a database that nobody is connected to."""
        self._run(f'ALTER DATABASE "{database}" RENAME TO "{new_name}"')

    def _run(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def _connect(self) -> contextlib.AbstractContextManager[psycopg.Connection[tuple[Any, ...]]]:
        if self.admin:
            return contextlib.nullcontext(self.admin)
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=OWNER, dbname="postgres", autocommit=True
        )


@cache
def programs() -> Path:
    """The folder with initdb, pg_ctl and postgres, the newest version first.

    Raises:
        PostgresMissing: when there is none that is new enough.
    """
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    in_path = [Path(found).resolve().parent] if (found := shutil.which("pg_ctl")) else []
    for folder in [*packaged, *in_path]:
        if (
            all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres"))
            and _version(folder) >= AT_LEAST
        ):
            return folder
    raise PostgresMissing("PostgreSQL's server programs are missing: run tests/support/system.sh")


def running(folder: Path) -> Cluster | None:
    """The cluster that an earlier worker of this run started in the folder, if any."""
    try:
        return Cluster(folder, int((folder / "port").read_text()))
    except FileNotFoundError:
        return None


def start(folder: Path, *initdb_options: str) -> Cluster:
    """Make a cluster in a new folder and start it; returns when it answers."""
    folder.mkdir()
    as_owner = _give_away(folder)
    found, data = programs(), folder / "data"
    initdb = [
        found / "initdb",
        "-D",
        data,
        "-U",
        OWNER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        *initdb_options,
    ]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/", **as_owner)
    port = free_port()
    settings = OPTIONS | {"port": str(port), "unix_socket_directories": str(folder)}
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    go_on(folder)
    (folder / "port").write_text(str(port))
    return Cluster(folder, port)


def go_on(folder: Path, *, largest_file: int | None = None) -> None:
    """Start the stopped server of a folder, whose files may grow no larger than so many bytes, if that is said."""
    data = folder / "data"
    limited = ["prlimit", f"--fsize={largest_file}:"] if largest_file else []
    _pg_ctl(programs(), data, "start", "--log", str(folder / "log"), before=limited, **_owner_of(data))


def stop(folder: Path) -> None:
    """End the cluster of a folder, if it runs, by the process id it wrote down; its data may be lost."""
    data = folder / "data"
    if (data / "postmaster.pid").exists():
        with contextlib.suppress(subprocess.CalledProcessError):  # it had gone on its own
            _pg_ctl(programs(), data, "stop", "--mode=immediate", **_owner_of(data))


def _pg_ctl(
    found: Path, data: Path, action: str, *options: str, before: Sequence[str] = (), **as_owner: Any
) -> None:
    command = [*before, found / "pg_ctl", action, "--pgdata", data, "--wait", "--silent", *options]
    # The server inherits these three, so a pipe would stay open for as long as it runs.
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, cwd="/", **quiet, **as_owner)


def _give_away(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: hand the folder to its own user, or to nobody."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            os.chown(folder, account.pw_uid, account.pw_gid)
            return _owner_of(folder)
    raise PostgresMissing("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _owner_of(folder: Path) -> dict[str, Any]:
    """Arguments that make a child process run as the folder's owner."""
    if os.getuid() != 0:
        return {}
    status = folder.stat()
    return {"user": status.st_uid, "group": status.st_gid, "extra_groups": []}


@cache
def _version(folder: Path) -> int:
    answer = subprocess.run(
        [folder / "postgres", "--version"], check=True, capture_output=True, text=True
    ).stdout
    return int("".join(char if char.isdigit() else " " for char in answer).split()[0])
