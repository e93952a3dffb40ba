"""All targets, by name."""

from tests.fuzz import addresses, clients, jose, requests
from tests.fuzz.targets import TARGETS

__all__ = ["TARGETS", "addresses", "clients", "jose", "requests"]
