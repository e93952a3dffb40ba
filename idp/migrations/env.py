"""Alembic's entry: runs revisions on the connection that `idp.schema` hands over."""

from alembic import context


def run() -> None:
    """Run what was asked for, each revision in a transaction of its own."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


run()
