"""Encrypted columns refuse anything that was not sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import StatementError

from keys.columns import BlindIndex, IndexBytes, Sealed, SealedBytes
from keys.envelope import DataKey, Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

VAULT = Vault(bytes(range(32)))
SEALED = DataKey(bytes(32)).seal("Ada", "row 1")
INDEX = VAULT.blind_index("name", "ada")

people = Table(
    "people",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", Sealed),
    Column("name_index", BlindIndex),
)


@pytest.fixture
def table(engine: Engine) -> Iterator[Engine]:
    people.metadata.create_all(engine)
    yield engine
    people.metadata.drop_all(engine)


def test_sealed_and_indexed_values_come_back_as_they_were(table: Engine) -> None:
    """Both keep their types, so that a value read may be written again; nothing stays nothing."""
    with table.begin() as connection:
        connection.execute(insert(people), [{"id": 1, "name": SEALED, "name_index": INDEX}])
        connection.execute(insert(people), [{"id": 2, "name": None, "name_index": None}])
        found = connection.execute(select(people.c.name, people.c.name_index).order_by(people.c.id)).all()
    assert [tuple(row) for row in found] == [(SEALED, INDEX), (None, None)]
    assert type(found[0][0]) is SealedBytes
    assert type(found[0][1]) is IndexBytes


def test_a_row_is_found_by_its_blind_index(table: Engine) -> None:
    """Search by equality, without the value in the database."""
    with table.begin() as connection:
        connection.execute(insert(people), [{"id": 7, "name": SEALED, "name_index": INDEX}])
        wanted = VAULT.blind_index("name", "ada")
        assert connection.execute(select(people.c.id).where(people.c.name_index == wanted)).scalar_one() == 7


@pytest.mark.parametrize("column", ["name", "name_index"])
@pytest.mark.parametrize("plain", ["Ada Lovelace", b"Ada Lovelace", bytearray(b"Ada Lovelace"), 1815])
def test_plaintext_cannot_land_in_an_encrypted_column(table: Engine, column: str, plain: Any) -> None:
    """A forgotten seal fails loudly at the first write, and the complaint does not repeat the value."""
    with table.begin() as connection:
        with pytest.raises(StatementError, match="this column takes") as refused:
            connection.execute(insert(people).values(id=1, **{column: plain}))
        assert "Ada" not in str(refused.value.orig)
        assert connection.execute(text("SELECT count(*) FROM people")).scalar_one() == 0


def test_the_two_kinds_are_not_mixed_up(table: Engine) -> None:
    """A sealed value is not an index: it would never be found again."""
    with table.begin() as connection:
        for column, value in (("name", INDEX), ("name_index", SEALED)):
            with pytest.raises(StatementError):
                connection.execute(insert(people).values(id=1, **{column: value}))
