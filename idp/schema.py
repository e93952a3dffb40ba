"""The schema of the database: which revision it has, and how it gets to ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

    from idp.db import Database

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(Exception):
    """The database is not at the revision of this program."""


def head_revision() -> str:
    """The newest revision, read from the names of the files (0001, 0002, …)."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def check_schema(database: Database) -> None:
    """Refuse to work on a database of another revision.

    Raises:
        SchemaOutdated: with the next command to run.
    """
    try:
        with database.reading() as session:
            found = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    except (OperationalError, ProgrammingError) as error:
        if "alembic_version" not in _cause(error):  # and not in what stands below it, the statement
            raise
        found = None
    if found != head_revision():
        state = f"at revision {found}" if found else "empty"
        raise SchemaOutdated(
            f"The database is {state}; this program needs {head_revision()}. Run: denizen migrate"
        )


def database_problem(error: DBAPIError) -> str:
    """Why the database cannot be used, in one line for the operator."""
    return f"The database cannot be used: {_cause(error)}"


def _cause(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def upgrade_database(url: str, revision: str = "head") -> None:
    """Bring a database to a revision, tables and triggers alike; safe to repeat."""
    _run(url, lambda command, config: command.upgrade(config, revision))


def downgrade_database(url: str, revision: str) -> None:
    """Take a database back to a revision; `base` removes everything."""
    _run(url, lambda command, config: command.downgrade(config, revision))


def _run(url: str, action: Any) -> None:
    from alembic import command
    from alembic.config import Config

    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                # Two nodes that start at once migrate one after the other.
                connection.execute(text("SELECT pg_advisory_lock(731400)"))
                connection.commit()
            config.attributes["connection"] = connection
            action(command, config)
            connection.commit()
    finally:
        engine.dispose()
