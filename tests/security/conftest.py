"""The attack cases stand on a town that is set up once."""

from tests.support.front import front
from tests.support.profiles import pairs
from tests.support.proving import proving
from tests.support.settled import settled

__all__ = ["front", "pairs", "proving", "settled"]
