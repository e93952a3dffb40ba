"""What verification may find."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

What = Literal["edited", "deleted", "truncated", "reordered", "back-dated", "unlogged", "signature"]


class LogDamaged(Exception):
    """What is stored contradicts itself; signing or proving on top of it would hide the damage. Run the verifier."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which table, at which row (its id, uid or index), and its log entry."""

    what: What
    table: str
    row: str
    detail: str
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome: what is wrong, in the order of the log, and how much was looked at.

    ``sealed`` rows belong to erased residents: their leaves verify, their content can't be opened any more.
    """

    findings: tuple[Finding, ...]
    leaves: int
    pending: int
    rows: int
    sealed: int


def in_log_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The earliest entry first; what has no entry comes last."""
    return tuple(sorted(findings, key=lambda one: (one.entry_id is None, one.entry_id or 0)))
