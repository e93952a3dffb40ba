"""The migration chain makes the models, on both engines, and leads back down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, text

from idp.schema import MIGRATIONS, downgrade_database, upgrade_database
from tests.house.metadata import all_metadata, all_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

#: What stands in a database besides tables: triggers and functions that a downgrade must take away, too.
OTHER_OBJECTS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')",
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " UNION ALL SELECT viewname FROM pg_views WHERE schemaname = 'public'"
    ),
}


@pytest.fixture
def migrated(database_url: str) -> Iterator[Connection]:
    """A connection to a database at the newest version."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_newest_version_equals_the_models(migrated: Connection) -> None:
    """Nothing stands in a model that no migration makes, and nothing the other way round."""
    context = MigrationContext.configure(migrated, opts={"compare_type": True})
    assert compare_metadata(context, all_metadata()) == []


def test_newest_version_has_every_check(migrated: Connection) -> None:
    """CHECK constraints hold the invariants; Alembic does not compare them, so this does, by name."""
    expected = {
        (table.name, str(constraint.name))
        for table in all_tables()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    inspector = inspect(migrated)
    found = {
        (table, str(check["name"]))
        for table in inspector.get_table_names()
        for check in inspector.get_check_constraints(table)
    }
    assert found == expected


def test_chain_has_one_head() -> None:
    """Two heads would make an upgrade a matter of luck."""
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


def test_every_migration_goes_up_down_and_up_again(empty_database_url: str) -> None:
    """An operator can go back one version, and forward again, at every step."""
    revisions = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]
    assert revisions
    for revision in reversed(revisions):
        before = _objects(empty_database_url)
        upgrade_database(empty_database_url, revision)
        after = _objects(empty_database_url)
        downgrade_database(empty_database_url, "-1")
        assert _objects(empty_database_url) == before, f"{revision} leaves something behind on the way down"
        upgrade_database(empty_database_url, revision)
        assert _objects(empty_database_url) == after, f"{revision} does not come back as it was"


def _objects(url: str) -> dict[str, Any]:
    """Everything in the database but Alembic's own table: each table's shape, and the names of the rest."""
    engine = create_engine(url)
    with engine.connect() as connection:
        inspector = inspect(connection)
        found: dict[str, Any] = {
            table: (
                [
                    (column["name"], str(column["type"]), column["nullable"])
                    for column in inspector.get_columns(table)
                ],
                sorted(str(index["name"]) for index in inspector.get_indexes(table)),
                sorted(str(check["name"]) for check in inspector.get_check_constraints(table)),
            )
            for table in inspector.get_table_names()
            if table != "alembic_version"
        }
        found["*"] = sorted(connection.scalars(text(OTHER_OBJECTS[engine.dialect.name])))
    engine.dispose()
    return found
