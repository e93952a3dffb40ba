"""Denizen itself, started by its own commands with its own defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import procstat, town
from tests.bench.children import Child
from tests.bench.drivers.base import Driver

if TYPE_CHECKING:
    from tests.bench.drivers.base import DatabaseKind


class Denizen(Driver):
    """A private town in a temporary folder."""

    name = "denizen"

    def __init__(self, database: DatabaseKind) -> None:
        super().__init__(database)
        # Browsers allow no passkey at an IP address.
        self.target.issuer = f"http://localhost:{self.port}"
        processes = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        self.target.notes["store"] = {
            "sqlite": f"SQLite WAL, synchronous=FULL (durable), {processes}",
            "postgresql": f"PostgreSQL, default durability, {processes}",
        }[database]

    def prepare(self, database_url: str) -> None:
        self._settings, self.target.secrets = town.make_town(
            self.folder, port=self.port, database_url=database_url, workers=self.workers
        )

    def hashing_cpu_ms(self) -> float:
        """Threads that hash stand back behind those that answer."""
        return procstat.standing_back_ms([self._server.pid]) if self._server else 0.0

    def launch(self) -> Child:
        return Child(
            [town.denizen_command(), "serve"],
            log=self.folder / "server.log",
            folder=self.folder,
            environment=town.environment(self._settings),
        )
