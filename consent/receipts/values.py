"""How values are written in a receipt, and where two of them differ. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_DAY: Final = 86_400


def differences(said: Any, expected: Any, path: str = "") -> list[str]:
    """Where two JSON values differ: paths such as ``dpv:hasProcess/dpv:hasPurpose``."""
    if isinstance(said, Mapping) and isinstance(expected, Mapping):
        names = [*said, *(name for name in expected if name not in said)]
        missing = object()
        parts = ((name, said.get(name, missing), expected.get(name, missing)) for name in names)
        return [
            found
            for name, one, other in parts
            for found in differences(one, other, f"{path}/{name}".strip("/"))
        ]
    if isinstance(said, list) and isinstance(expected, list) and len(said) == len(expected):
        pairs = enumerate(zip(said, expected, strict=True))
        return [
            found for place, (one, other) in pairs for found in differences(one, other, f"{path}/{place}")
        ]
    same = type(said) is type(expected) and said == expected
    return [] if same else [path or "everything"]


def duration(seconds: int) -> str:
    """A duration as ISO 8601: days where it is whole days, else seconds."""
    return f"P{seconds // _DAY}D" if seconds % _DAY == 0 else f"PT{seconds}S"


def listed(row: Mapping[str, Any], column: str) -> list[str]:
    """The list of names in a column that holds it as JSON."""
    found = json.loads(row[column])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{column} is no list of names")
    return found
