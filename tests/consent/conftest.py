"""A town with the tables of consent alone, on both engines."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, Engine, create_engine, event, text

from consent import log, lookups, purposes
from consent.models import Base
from consent.triggers import LATER, append_only_ddl, fix_purpose_ddl, guard_ddl
from tests.consent.town import HOUR, ORIGIN, SERVICE_KEY, Attacker, Town, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import postgres


def _like_ours(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.execute("PRAGMA foreign_keys = ON")


def _furnish(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    dialect = connection.dialect.name
    guards = [statement for table in LATER for statement in guard_ddl(dialect, table)]
    for statement in [*append_only_ddl(dialect), *fix_purpose_ddl(dialect), *guards]:
        connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_cluster: postgres.Cluster) -> Iterator[Engine]:
    """An engine on one empty PostgreSQL database, for tests that commit nothing."""
    name = f"consent_{secrets.token_hex(8)}"
    engine = create_engine(postgresql_cluster.create(name, template="template0"))
    yield engine
    engine.dispose()
    postgresql_cluster.drop(name)


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    """An engine on a database of this test's own, for tests that commit."""
    engine = create_engine(empty_database_url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _like_ours)
    with engine.begin() as connection:
        _furnish(connection)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One open transaction that holds even the tables; it is never committed."""
    if request.param == "sqlite":
        engine = create_engine("sqlite://")
        event.listen(engine, "connect", _like_ours)
    else:
        engine = request.getfixturevalue("postgresql_engine")
    with engine.connect() as connection:
        _furnish(connection)
        yield connection
        connection.rollback()
    if request.param == "sqlite":
        engine.dispose()


@pytest.fixture
def signer() -> log.NoteSigner:
    """The log's key."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return log.NoteSigner(ORIGIN, public, key.sign)


@pytest.fixture
def town(connection: Connection, signer: log.NoteSigner) -> Town:
    """An empty town."""
    return Town(connection, signer)


@pytest.fixture
def lived_in(town: Town) -> Town:
    """A town with a history of every kind: three signed heads, ten releases, a look-up, an ended purpose."""
    purpose_id = town.purpose(optional=("email",))
    other = town.purpose(key="tax", basis="public_task")
    town.event(purpose_id)
    for number in range(10):
        town.now += HOUR
        town.release(resident_id=f"r{number % 3}")
        if number in {3, 6}:
            assert town.integrate()
    lookups.record(
        town.connection,
        log_key=key_of("r1"),
        staff_id="c1",
        staff_role="clerk",
        resident_id="r1",
        reason="lost card",
        now=town.now,
    )
    assert purposes.end_purpose(town.connection, log_key=SERVICE_KEY, purpose_id=other, now=town.now)
    assert town.integrate()
    return town


@pytest.fixture
def attacker(lived_in: Town) -> Attacker:
    return Attacker(lived_in.connection)
