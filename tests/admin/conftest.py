"""Fixtures of the staff app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.admin.office import Office, open_office

if TYPE_CHECKING:
    from tests.support.town import Town


@pytest.fixture
def office(town: Town) -> Office:
    """The staff app of the town with a clerk, an officer and an operator."""
    return open_office(town)
