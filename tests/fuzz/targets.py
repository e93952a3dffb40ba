"""What a target is, and how it is run for a number of inputs or a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, example, given, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

#: Inputs between two looks at the clock.
_ROUND = 500


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises for an input that breaks the invariant; `examples` are inputs that once did."""

    check: Callable[[Any], None]
    inputs: SearchStrategy[Any]
    examples: Sequence[Any] = ()

    def run(self, count: int) -> None:
        """Try what broke it before, then so many inputs more.

        Raises:
            Exception: whatever an input brought about, with the shortest such input as a note.
        """
        phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
        lenient = settings(
            max_examples=count, deadline=None, phases=phases, suppress_health_check=list(HealthCheck)
        )
        tried = given(self.inputs)(self.check)
        for one in self.examples:
            tried = example(one)(tried)
        lenient(tried)()

    def run_for(self, seconds: float) -> int:
        """Try inputs for so long; how many it were at most."""
        until, count = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            self.run(_ROUND)
            count += _ROUND
        return count


TARGETS: dict[str, Target] = {}


def target(
    name: str, inputs: SearchStrategy[Any], *examples: Any
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a target of the function that checks its invariant."""

    def add(check: Callable[[Any], None]) -> Callable[[Any], None]:
        TARGETS[name] = Target(check, inputs, examples)
        return check

    return add
