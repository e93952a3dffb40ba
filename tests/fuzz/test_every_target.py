"""Each fuzz target on a few hundred inputs, and on whatever `make fuzz` found before."""

from __future__ import annotations

import pytest

from tests.fuzz.every import TARGETS

_INPUTS = 250


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_the_invariant(name: str) -> None:
    """What each holds stands at the target; strangers' input never brings about anything else."""
    TARGETS[name].run(_INPUTS)
