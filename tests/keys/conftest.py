"""A database with this package's tables and nothing else, on each engine, and a vault opened in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event

from keys.envelope import KeyEncryptionKey, Vault, create_key_file, open_vault
from keys.models import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000


class Interrupted:
    """A connection that lets something else happen just before its first write."""

    def __init__(self, connection: Connection, meanwhile: Any) -> None:
        self._connection = connection
        self._meanwhile = meanwhile

    def execute(self, statement: Any, parameters: Any = None, /) -> Any:
        if self._meanwhile and not str(statement).startswith("SELECT"):
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return self._connection.execute(statement, parameters)


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database with the tables of `keys`."""
    engine = create_engine(empty_database_url)
    if engine.dialect.name == "sqlite":
        _begin_immediate(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """One transaction, rolled back at the end."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def kek(tmp_path: Path) -> KeyEncryptionKey:
    """The key of a fresh key file."""
    return create_key_file(tmp_path / "denizen.key")


@pytest.fixture
def vault(engine: Engine, kek: KeyEncryptionKey) -> Vault:
    """The vault of the database; its service key is committed."""
    with engine.begin() as connection:
        return open_vault(connection, kek, now=NOW)


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Published examples (RFC 7515 A.3, RFC 7638 §3.1, RFC 8037 A)."""
    path = Path(__file__).parents[1] / "vectors" / "jose.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors


def _begin_immediate(engine: Engine) -> None:
    # A deferred transaction that reads and then writes fails at once when another one wrote in between.
    @event.listens_for(engine, "connect")
    def no_driver_transactions(driver: Any, record: object) -> None:
        driver.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin_immediate(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
