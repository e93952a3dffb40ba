"""Plan `oidcc-3rdparty-init-login-certification-test-plan`: a partner lets us begin its sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.modules import MODULES
from tests.conformance.openid_plans import THIRD_PARTY, cases

if TYPE_CHECKING:
    from tests.conformance.run import Run


@pytest.mark.parametrize(("way", "module"), cases(THIRD_PARTY))
def test_module(dynamic_run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](dynamic_run)
