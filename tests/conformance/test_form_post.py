"""Plans `oidcc-formpost-{basic,implicit,hybrid}-certification-test-plan`: the same answers, posted by a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.modules import MODULES
from tests.conformance.openid_plans import BASIC, HYBRID, IMPLICIT, cases

if TYPE_CHECKING:
    from tests.conformance.run import Run


@pytest.mark.parametrize(("way", "module"), cases(BASIC, "form_post"))
def test_module_of_basic(run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](run)


@pytest.mark.parametrize(("way", "module"), cases(IMPLICIT, "form_post"))
def test_module_of_implicit(run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](run)


@pytest.mark.parametrize(("way", "module"), cases(HYBRID, "form_post"))
def test_module_of_hybrid(run: Run, module: str) -> None:
    """Each module by its name; what it demands stands with it in `tests.conformance.modules`."""
    MODULES[module](run)
