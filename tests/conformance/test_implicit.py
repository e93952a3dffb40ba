"""Plan `oidcc-implicit-certification-test-plan`: ID tokens and access tokens in the fragment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.modules import MODULES
from tests.conformance.openid_plans import IMPLICIT, cases

if TYPE_CHECKING:
    from tests.conformance.run import Run


@pytest.mark.parametrize(("way", "module"), cases(IMPLICIT))
def test_module(run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](run)
