"""Column types that accept only what the envelope made, so that plaintext cannot land in an encrypted column."""

from typing import Any

from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from keys.envelope import IndexBytes, SealedBytes

__all__ = ["BlindIndex", "IndexBytes", "Sealed", "SealedBytes"]


class Sealed(TypeDecorator[SealedBytes]):
    """A sealed text (`DataKey.seal`). Binding anything else raises TypeError, which names no value."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Let only sealed bytes through, as plain bytes for the driver."""
        return _checked(value, SealedBytes)

    def process_result_value(self, value: Any, dialect: Dialect) -> SealedBytes | None:  # noqa: ARG002
        """What the database holds is sealed."""
        return None if value is None else SealedBytes(value)


class BlindIndex(TypeDecorator[IndexBytes]):
    """A blind index (`Vault.blind_index`), stored and compared. Binding anything else raises TypeError."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Let only blind indexes through, as plain bytes for the driver."""
        return _checked(value, IndexBytes)

    def process_result_value(self, value: Any, dialect: Dialect) -> IndexBytes | None:  # noqa: ARG002
        """What the database holds is a blind index."""
        return None if value is None else IndexBytes(value)


def _checked(value: Any, expected: type[bytes]) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, expected):
        # The value is left out on purpose: it may be the very plaintext this column must never see.
        raise TypeError(f"this column takes {expected.__name__}, not {type(value).__name__}")
    return bytes(value)
