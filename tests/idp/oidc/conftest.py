"""Most tests of the protocol stand on a town that is set up once."""

from tests.support.front import front
from tests.support.proving import proving
from tests.support.settled import settled

__all__ = ["front", "proving", "settled"]
