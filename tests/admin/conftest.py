"""Fixtures of the staff app."""

from __future__ import annotations

import logging
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.admin.office import Office, open_office
from tests.support.town import make_town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.town import Town


@pytest.fixture
def office(town: Town) -> Office:
    """The staff app of the town with a clerk, an officer and an operator."""
    return open_office(town)


@pytest.fixture
def served(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Office, str]]:
    """The staff app on a loopback port, without TLS."""
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    database = tmp_path / "denizen.sqlite"
    database.write_bytes(sqlite_template.read_bytes())
    address = "http://127.0.0.1"
    town = make_town(
        f"sqlite:///{database}", tmp_path, server={"issuer": "http://localhost:8400", "staff_url": address}
    )
    office = open_office(town)
    server = make_server("127.0.0.1", 0, office.app, threaded=False)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield office, f"{address}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    town.context.database.close()
