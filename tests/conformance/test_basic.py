"""Plan `oidcc-basic-certification-test-plan`: codes, with static clients where a module does not want another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.modules import MODULES
from tests.conformance.openid_plans import BASIC, cases

if TYPE_CHECKING:
    from tests.conformance.run import Run


@pytest.mark.parametrize(("way", "module"), cases(BASIC))
def test_module(run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](run)
