"""Every table: whose it is, what each column holds, and whether that says something about a person."""

from __future__ import annotations

import re

import pytest

from tests.house.metadata import BASES, all_metadata, all_tables, of_package

SAYS_WHETHER_PERSONAL = re.compile(r"(.*\s)?pii=(yes|no)$", re.DOTALL)


def test_every_column_says_whether_it_is_personal() -> None:
    """house.md, data model: the comment of each column ends in pii=yes or pii=no."""
    silent = [
        f"{table.name}.{column.name}: {column.comment!r}"
        for table in all_tables()
        for column in table.columns
        if not SAYS_WHETHER_PERSONAL.fullmatch(column.comment or "")
    ]
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("package", BASES)
def test_package_has_tables(package: str) -> None:
    """The rules of this file see every package's tables."""
    assert of_package(package).tables


def test_no_table_name_is_used_twice() -> None:
    """Four packages share one database."""
    names = [table.name for table in all_tables()]
    assert len(names) == len(set(names))


def test_no_foreign_key_crosses_a_package() -> None:
    """house.md: receipts outlive accounts, so no package's row may hold another's in place."""
    crossing = [
        f"{table.name}.{key.parent.name} -> {key.target_fullname}"
        for metadata in all_metadata()
        for table in metadata.tables.values()
        for key in table.foreign_keys
        if key.target_fullname.rsplit(".", 1)[0] not in metadata.tables
    ]
    assert not crossing, "\n".join(crossing)


def test_names_tell_what_a_column_holds() -> None:
    """house.md, names: `_at` is an instant in Unix seconds, `_hash` a digest (a password's: its PHC string)."""
    wrong = [
        f"{table.name}.{column.name} is {column.type}"
        for table in all_tables()
        for column in table.columns
        if column.type.python_type is not _expected_type(column.name, otherwise=column.type.python_type)
    ]
    assert not wrong, "\n".join(wrong)


def _expected_type(name: str, *, otherwise: type) -> type:
    if name.endswith("_at"):
        return int
    if name.endswith("_hash"):
        return str if name == "password_hash" else bytes
    return otherwise
