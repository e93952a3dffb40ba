"""A town connected with a provider that says what a test wants."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.idp.login.upstream.provider import Provider, connected_town
from tests.support.tls import make_authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.founding import Founding
    from tests.support.tls import Authority
    from tests.support.town import Town


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def connect(
    database_url: str, founding: Founding, tmp_path: Path, authority: Authority
) -> Iterator[Callable[..., tuple[Town, Provider]]]:
    """Make the town with one provider; keywords change the provider's settings."""
    with ExitStack() as stack:

        def make(**settings: Any) -> tuple[Town, Provider]:
            provider = Provider(authority, lambda: town.clock())  # noqa: PLW0108 - the town is made afterwards
            stack.enter_context(provider.server)
            town = connected_town(database_url, tmp_path, authority, provider, founding=founding, **settings)
            stack.callback(town.context.database.close)
            return town, provider

        yield make
