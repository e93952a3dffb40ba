"""What every test of signals starts from."""

from tests.idp.signals.telling import telling

__all__ = ["telling"]
