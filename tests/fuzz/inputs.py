"""Inputs that are sound but for something: bent texts, bent objects, JSON of any shape and depth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

#: Stands in a value for a list in a list in a list, which Python's own encoder would refuse to write.
_DEEP = "\x02deep\x02"
#: Around the depths at which JSON readers, writers and Python itself give up.
_DEPTHS = st.sampled_from([2, 120, 250, 254, 255, 256, 700, 850, 900, 950, 980, 1000, 1030, 3000])

scalars: SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63, 2**64, -(2**63) - 1, 10**400, 1e300, "", "\0", "\ud800", "é", _DEEP])
    | st.floats()
    | st.text(max_size=20)
)
#: Whatever JSON can say.
values: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@st.composite
def as_json(draw: DrawFn, what: SearchStrategy[Any]) -> str:
    """A value as JSON text, sometimes far deeper than it looks."""
    text = json.dumps(draw(what))
    if json.dumps(_DEEP) in text:
        depth = draw(_DEPTHS)
        text = text.replace(json.dumps(_DEEP), "[" * depth + "]" * depth)
    return text


def objects(
    names: Sequence[str], likely: SearchStrategy[Any] | None = None
) -> SearchStrategy[dict[str, Any]]:
    """JSON objects with some of these names, and others."""
    what = values if likely is None else values | likely
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=6), what, max_size=8)


@st.composite
def bent(
    draw: DrawFn,
    sound: SearchStrategy[Mapping[str, Any]],
    likely: SearchStrategy[Any] = values,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """A sound object of which a few members are replaced, left out or added."""
    found = dict(draw(sound))
    for _ in range(draw(st.integers(0, 3))):
        known = sorted({*found, *names})
        name = draw(st.sampled_from(known) if known else st.text(max_size=6))
        if draw(st.booleans()):
            found[name] = draw(likely | values)
        else:
            found.pop(name, None)
    return found


@st.composite
def edited(draw: DrawFn, sound: SearchStrategy[str], pieces: SearchStrategy[str]) -> str:
    """A sound text after a few edits: a piece put in or over, a span left out or doubled, capitals changed."""
    text = draw(sound)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        span = text[start:end]
        changed = draw(
            st.sampled_from(["", span * 2, span.swapcase()])
            | pieces
            | pieces.map(lambda one, s=span: one + s)  # type: ignore[misc]
        )
        text = text[:start] + changed + text[end:]
    return text
