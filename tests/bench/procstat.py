"""CPU and memory of process trees, and how busy and how fast the machine is, from /proc (Linux)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = Path("/proc")
TICK_MS = 1000.0 / os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def _stat(pid: int) -> list[str]:
    return _fields(PROC / str(pid) / "stat")


def _fields(stat: Path) -> list[str]:
    """proc(5): from the third on, the state; the second, a name in brackets, may hold spaces."""
    return stat.read_text(encoding="latin-1").rpartition(") ")[2].split()


def tree(roots: Iterable[int]) -> set[int]:
    """The processes of `roots` and all their living descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (OSError, IndexError):
                continue
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu_ms(roots: Iterable[int]) -> float:
    """User and system time of the trees, milliseconds, with that of children already waited for."""
    ticks = 0
    for pid in tree(roots):
        try:
            ticks += sum(int(field) for field in _stat(pid)[11:15])
        except OSError:
            continue
    return ticks * TICK_MS


def standing_back_ms(roots: Iterable[int]) -> float:
    """User and system time of the threads that stand back behind their process (`nice`), milliseconds."""
    ticks = 0
    for pid in tree(roots):
        try:
            own = int(_stat(pid)[16])
            threads = [_fields(task / "stat") for task in (PROC / str(pid) / "task").iterdir()]
        except OSError:
            continue
        ticks += sum(int(fields[11]) + int(fields[12]) for fields in threads if int(fields[16]) > own)
    return ticks * TICK_MS


def rss_mb(roots: Iterable[int]) -> float:
    """Resident memory of the trees in MiB; pages that processes share count in each of them."""
    pages = 0
    for pid in tree(roots):
        try:
            pages += int(_stat(pid)[21])
        except OSError:
            continue
    return pages * PAGE_MB


def pss_mb(roots: Iterable[int]) -> float:
    """Proportional memory of the trees in MiB: shared pages are divided among those who share them."""
    kib = 0
    for pid in tree(roots):
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def machine_busy_ms() -> float:
    """CPU time that the whole machine has spent, milliseconds."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * TICK_MS


async def wait_quiet(limit: float, wait_for: float) -> float:
    """Wait until the machine uses less than `limit` per cent of a core, at most `wait_for` seconds.

    Returns the last load seen, per cent of one core.
    """
    end = time.monotonic() + wait_for
    while True:
        before, at = machine_busy_ms(), time.monotonic()
        await asyncio.sleep(0.5)
        load = (machine_busy_ms() - before) / (time.monotonic() - at) / 10
        if load <= limit or time.monotonic() >= end:
            return load


def calibration_ms() -> float:
    """CPU milliseconds of one fixed job, the best of three: how fast the machine is just now.

    The machine behind the budgets needs 33 in its fast spells and 58 to 72 in its slow ones.
    """
    return min(_fixed_job() for _ in range(3))


def _fixed_job() -> float:
    start = time.process_time()
    table: dict[int, str] = {}
    number = 0
    for i in range(60_000):
        number = (number * 31 + i) & 0xFFFFFFFF
        table[number & 1023] = str(i)
    digest = b"x"
    for _ in range(20_000):
        digest = hashlib.sha256(digest).digest()
    return (time.process_time() - start) * 1000
