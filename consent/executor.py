"""The one thing consent needs of a database connection."""

from typing import Any, Protocol


class Executor(Protocol):
    """Runs one statement inside a transaction that the caller opened and will end.

    A SQLAlchemy ``Connection`` or ``Session`` fits, and so does any lean stand-in on the hot path.
    """

    def execute(self, statement: Any, parameters: Any = None, /) -> Any:
        """Run ``statement`` with one dict of parameters, or with a list of dicts."""
