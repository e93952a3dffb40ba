"""The suite's modules, each a function of a `Run` with its requirement as docstring, by the names that the suite gives them.

Owns: what a module asks of a provider. Leaves to others: in which variants a plan runs it (`tests.conformance.openid_plans`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.modules import claims, discovery, flows, redirects, registration, requests, sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.run import Run

MODULES: dict[str, Callable[[Run], None]] = {
    **discovery.MODULES,
    **flows.MODULES,
    **claims.MODULES,
    **sessions.MODULES,
    **requests.MODULES,
    **redirects.MODULES,
    **registration.MODULES,
}
