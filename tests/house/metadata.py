"""All tables of all packages, for the tests that look at them together."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

#: Package to the module with its `Base`.
BASES = {"keys": "keys.models", "consent": "consent.models", "idp": "idp.db", "admin": "admin.models"}


def of_package(package: str) -> MetaData:
    """The metadata of one package, with every table known."""
    if package == "idp":
        importlib.import_module("idp.models")
    if package == "consent":
        importlib.import_module("consent.working_models")
    base = importlib.import_module(BASES[package]).Base
    metadata: MetaData = base.metadata
    return metadata


def all_metadata() -> list[MetaData]:
    """The metadata of every package; what one migration chain must make."""
    return [of_package(package) for package in BASES]


def all_tables() -> list[Table]:
    """Every table, in a fixed order."""
    return sorted(
        (table for metadata in all_metadata() for table in metadata.tables.values()), key=lambda t: t.name
    )
