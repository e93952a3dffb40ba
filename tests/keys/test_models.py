"""The tables themselves keep the invariants, whoever writes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from keys.models import Base

ROW = {
    "kid": "k1",
    "alg": "ES256",
    "use": "tokens",
    "state": "current",
    "public_jwk": "{}",
    "private_sealed": b"\x01",
    "created_at": 1,
    "activated_at": 1,
    "demoted_at": None,
    "retired_at": None,
}
INSERT = text(
    f"INSERT INTO keys_signing_key ({', '.join(ROW)}) VALUES ({', '.join(f':{name}' for name in ROW)})"
)


def add(connection: Connection, **changes: Any) -> None:
    connection.execute(INSERT, ROW | changes)


def test_every_column_says_whether_it_holds_personal_data() -> None:
    """Column comments end in pii=yes or pii=no; none of this package's is personal."""
    for table in Base.metadata.sorted_tables:
        assert table.name.startswith("keys_")
        for column in table.columns:
            assert re.search(r"; pii=no$", column.comment or ""), column


NEXT = {"state": "next", "activated_at": None}
PREVIOUS = {"state": "previous", "private_sealed": None, "demoted_at": 2}
RETIRED = PREVIOUS | {"state": "retired", "retired_at": 3}


@pytest.mark.parametrize(
    "row", [{}, NEXT, PREVIOUS, RETIRED, RETIRED | {"activated_at": None, "demoted_at": None}]
)
def test_a_key_in_each_state_is_stored(connection: Connection, row: dict[str, Any]) -> None:
    """The states as rotation writes them; a key may retire before it ever signed."""
    add(connection, **row)


@pytest.mark.parametrize(
    "row",
    [
        {"state": "lost"},
        {"activated_at": None},
        {"private_sealed": None},
        {"retired_at": 3},
        NEXT | {"activated_at": 1},
        NEXT | {"private_sealed": None},
        PREVIOUS | {"demoted_at": None},
        PREVIOUS | {"private_sealed": b"\x01"},
        RETIRED | {"retired_at": None},
        RETIRED | {"private_sealed": b"\x01"},
    ],
)
def test_a_key_in_an_impossible_state_is_not_stored(connection: Connection, row: dict[str, Any]) -> None:
    """Above all: a key that signs no more has no private half left."""
    with pytest.raises(IntegrityError):
        add(connection, **row)


@pytest.mark.parametrize("row", [{}, NEXT])
def test_one_algorithm_has_one_current_and_one_next_key_per_use(
    connection: Connection, row: dict[str, Any]
) -> None:
    """Two nodes can not both make one; another algorithm or use is another matter."""
    add(connection, **row)
    add(connection, **row, kid="k2", alg="RS256")
    add(connection, **row, kid="k3", use="log")
    add(connection, **PREVIOUS, kid="k4")
    add(connection, **PREVIOUS, kid="k5")
    with pytest.raises(IntegrityError):
        add(connection, **row, kid="k6")
