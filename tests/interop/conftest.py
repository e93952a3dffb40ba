"""The town that this folder's tests share, once per worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.strict import StrictTown, Visitor, strict_town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictTown]:
    """`denizen conformance` as it runs."""
    with strict_town(tmp_path_factory.mktemp("strict")) as running:
        yield running


@pytest.fixture
def visitor(strict: StrictTown) -> Iterator[Visitor]:
    """A browser in which nobody is signed in yet."""
    running = Visitor(strict)
    yield running
    running.close()
