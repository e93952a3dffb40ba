"""What the command lines take: within bounds, because each run must end, and not drown the machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tests.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable


def between(low: float, high: float, kind: type[float] = float) -> Callable[[str], float]:
    """An argument type that stays within bounds."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"write a number from {low:g} to {high:g}")
        return value

    return number


def workload_list(text: str) -> list[str]:
    """The argument of --workloads."""
    wanted = [name.strip() for name in text.split(",")]
    if unknown := [name for name in wanted if name not in WORKLOADS]:
        raise argparse.ArgumentTypeError(
            f"no such workload: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}"
        )
    return wanted
