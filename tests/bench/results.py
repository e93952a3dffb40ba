"""Everything one run found, kept for the table and, line by line, for a file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.drivers.base import Driver
    from tests.bench.figures import Repeat
    from tests.bench.storm import Storm

#: Keys of the tables below.
Place = tuple[str, str]


@dataclass(slots=True)
class Results:
    """Figures by (database, server). `out` is appended to as they come."""

    out: Path | None = None
    repeats: list[Repeat] = field(default_factory=list)
    #: Seconds to the first answer.
    startups: dict[Place, list[float]] = field(default_factory=dict)
    #: PSS and RSS in MiB after the workloads.
    memory: dict[Place, tuple[float, float]] = field(default_factory=dict)
    notes: dict[Place, dict[str, str]] = field(default_factory=dict)
    #: CPU milliseconds of single Argon2id verifications, by database: alone, and with every core at it.
    argon2: dict[str, list[float]] = field(default_factory=dict)
    argon2_crowded: dict[str, list[float]] = field(default_factory=dict)
    #: CPU milliseconds of single signature checks, by database.
    signature: dict[str, list[float]] = field(default_factory=dict)
    storms: dict[str, Storm] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, repeat: Repeat) -> None:
        self.repeats.append(repeat)
        self.write(repeat.as_line())
        say(
            f"{repeat.database:10} {repeat.workload:10} {repeat.server:18} {repeat.cpu_per_flow:7.3f} ms"
            f" {repeat.flows_per_second:7.0f}/s  p99 {repeat.p99:6.1f} ms  others {repeat.others_percent:3.0f} %"
            f"  calibration {repeat.calibration:.0f}  errors {repeat.errors}"
        )
        if repeat.first_error:
            self.fail(f"{repeat.server}, {repeat.database}, {repeat.workload}: {repeat.first_error}")

    def fail_workload(self, driver: Driver, workload: str, error: Exception) -> None:
        self.fail(f"{driver.name}, {driver.database}, {workload}: {type(error).__name__}: {error}")

    def fail(self, text: str) -> None:
        """Something could not be measured, or was answered wrongly."""
        text = text.strip()[:1500]
        if text not in self.failures:
            self.failures.append(text)
            self.write({"failed": text})
            say(f"FAILED {text}")

    def write(self, line: dict[str, Any]) -> None:
        """Append one line of JSON to the file, if there is one."""
        if self.out:
            with self.out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def say(text: str) -> None:
    """Progress, beside the table's way."""
    print(text, file=sys.stderr, flush=True)
