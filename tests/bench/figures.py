"""What one measurement says, and what several say together. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Repeat:
    """One measured span of one workload on one server. Times in milliseconds unless named otherwise."""

    server: str
    database: str
    workload: str
    flows: int
    errors: int
    seconds: float
    server_cpu: float
    database_cpu: float
    load_cpu: float
    p50: float
    p99: float
    #: What the rest of the machine used meanwhile, per cent of one core.
    others_percent: float
    calibration: float
    pss_mb: float
    rss_mb: float
    first_error: str = ""
    #: Of server_cpu what went into checking passwords.
    hashing_cpu: float = 0.0

    @property
    def cpu_per_flow(self) -> float:
        """CPU of server and database per right flow; without one, infinite."""
        return (self.server_cpu + self.database_cpu) / self.flows if self.flows else float("inf")

    @property
    def flows_per_second(self) -> float:
        return self.flows / self.seconds

    def as_line(self) -> dict[str, Any]:
        """Everything, for a line of JSON."""
        share = max(self.flows, 1)
        return {
            **asdict(self),
            "cpu_ms_per_flow": round(self.cpu_per_flow, 4) if self.flows else None,
            "server_cpu_ms_per_flow": round(self.server_cpu / share, 4),
            "database_cpu_ms_per_flow": round(self.database_cpu / share, 4),
            "flows_per_second": round(self.flows_per_second, 1),
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """The repeats of one workload on one server."""

    cpu: float
    cheapest: float
    flows_per_second: float
    p50: float
    p99: float
    calibration: float
    errors: int


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted values lie; 0 for none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def summarise(repeats: Sequence[Repeat]) -> Summary:
    """Medians over the repeats, and the cheapest.

    Raises:
        statistics.StatisticsError: without any repeat.

    """
    return Summary(
        cpu=median(repeat.cpu_per_flow for repeat in repeats),
        cheapest=min((repeat.cpu_per_flow for repeat in repeats), default=float("inf")),
        flows_per_second=median(repeat.flows_per_second for repeat in repeats),
        p50=median(repeat.p50 for repeat in repeats),
        p99=median(repeat.p99 for repeat in repeats),
        calibration=median(repeat.calibration for repeat in repeats),
        errors=sum(repeat.errors for repeat in repeats),
    )
