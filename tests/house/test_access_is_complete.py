"""The copy of everything held about a resident is everything: the map of the copy against the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consent import held
from idp.rights import holdings
from idp.rights.holdings import HOLDINGS, LEFT_OUT
from keys.columns import Sealed
from tests.house.metadata import all_tables, of_package

if TYPE_CHECKING:
    from sqlalchemy import Table


def test_every_personal_column_is_in_the_copy_or_left_out_with_a_reason() -> None:
    """GDPR Art. 15: whoever adds a column with `pii=yes` says in `idp.rights.holdings` how a resident gets to read it."""
    forgotten = [
        f"{table.name}.{column.name}"
        for table in all_tables()
        for column in table.columns
        if (column.comment or "").endswith("pii=yes")
        and not {table.name, f"{table.name}.{column.name}"} & LEFT_OUT.keys()
        and column.name not in _shown(table)
    ]
    assert not forgotten, "\n".join(forgotten)


def test_every_table_about_a_resident_has_a_title_in_the_copy() -> None:
    """Nobody can read `consent_expiring`."""
    nameless = [
        table.name
        for table in all_tables()
        if any((column.comment or "").endswith("pii=yes") for column in table.columns)
        and table.name not in LEFT_OUT
        and table.name not in HOLDINGS
        and _shown(table)
    ]
    assert not nameless, "\n".join(nameless)


def test_what_is_sealed_is_opened() -> None:
    """A sealed word in a copy would be no copy."""
    closed = [
        f"{table.name}.{column.name}"
        for table in of_package("idp").sorted_tables
        for column in table.columns
        if isinstance(column.type, Sealed)
        and column.name in _shown(table)
        and column.name not in HOLDINGS[table.name].opens
    ]
    assert not closed, "\n".join(closed)


def test_the_map_names_nothing_that_is_gone() -> None:
    """A table or column that was dropped is dropped from the map."""
    tables = {table.name: table for table in all_tables()}
    stale = [name for name in HOLDINGS if name not in tables]
    for name, known in HOLDINGS.items():
        stale += [
            f"{name}.{column}" for column in (*known.hides, *known.opens) if column not in tables[name].c
        ]
    for place in LEFT_OUT:
        table, _, column = place.partition(".")
        if table not in tables or (column and column not in tables[table].c):
            stale.append(place)
    assert not stale, "\n".join(stale)


def _shown(table: Table) -> set[str]:
    """The columns of a table that a copy shows."""
    if table.name in held.tables():
        return set(held.tables()[table.name]) - holdings.hidden_of(table.name)
    if table in holdings.tables():
        return {column.name for column in holdings.held_columns(table)}
    return set()
