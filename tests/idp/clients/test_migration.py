"""Clients that were there before there were profiles, and clients that an older version does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

from idp.clients.metadata import Details, NewClient
from idp.schema import downgrade_database, upgrade_database
from tests.support.proving import jwks, key_for
from tests.support.town import START, make_town

if TYPE_CHECKING:
    from pathlib import Path


def _rows(url: str, columns: str) -> dict[str, Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT client_id, {columns} FROM clients_client")).all()
    engine.dispose()
    return {row[0]: tuple(row[1:]) for row in found}


def test_clients_survive_the_way_back_and_forth(database_url: str, tmp_path: Path) -> None:
    """0010 on populated data: who cannot be known to the older version is switched off, and stays so."""
    town = make_town(database_url, tmp_path)
    new = NewClient(
        "Signer",
        client_id="signer",
        token_endpoint_auth_method="private_key_jwt",
        grant_types=("client_credentials",),
        details=Details(jwks=jwks(key_for("ES256"))),
    )
    town.add_client(new, basis=None)
    town.context.database.close()
    downgrade_database(database_url, "0009")
    before = _rows(database_url, "token_endpoint_auth_method, disabled_at")
    assert before["library"] == ("client_secret_basic", None)
    assert before["streets"] == ("none", None)
    assert before["signer"] == ("client_secret_basic", START)
    upgrade_database(database_url)
    after = _rows(database_url, "profile, approved_at, disabled_at")
    assert after["library"] == ("standard", START, None)
    assert after["signer"] == ("standard", START, START)
