"""Where the bars of a chart stand; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH: Final = 720
HEIGHT: Final = 240
_LEFT: Final = 56
_BOTTOM: Final = 32
_TOP: Final = 12
_STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: of which kind, and where; a bar whose figure is left out has no height."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """A word below the bars, or a number beside a line."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart in units of its own view box."""

    width: int
    height: int
    left: int
    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    lines: tuple[Label, ...]


def chart(columns: Sequence[tuple[str, Mapping[str, int | None]]]) -> Chart:
    """Bars side by side for each column of (name, figure by kind); None draws nothing."""
    figures = [figure or 0 for _, of in columns for figure in of.values()]
    top = _ceiling(max(figures, default=0))
    room, slot = HEIGHT - _BOTTOM - _TOP, (WIDTH - _LEFT) / max(1, len(columns))
    bars, labels = [], []
    for number, (name, of) in enumerate(columns):
        start = _LEFT + number * slot
        width = slot * 0.8 / max(1, len(of))
        labels.append(Label(name, round(start + slot * 0.45, 1), HEIGHT - 10))
        for place, (kind, figure) in enumerate(of.items()):
            height = round(room * (figure or 0) / top, 1)
            x = round(start + slot * 0.05 + place * width, 1)
            bars.append(Bar(kind, x, round(HEIGHT - _BOTTOM - height, 1), round(width, 1), height))
    lines = tuple(
        Label(str(top * step // _STEPS), _LEFT - 8, round(HEIGHT - _BOTTOM - room * step / _STEPS, 1))
        for step in range(_STEPS + 1)
    )
    return Chart(WIDTH, HEIGHT, _LEFT, tuple(bars), tuple(labels), lines)


def _ceiling(most: int) -> int:
    """A round number not below the highest figure, that four steps divide."""
    step = 1
    while step * _STEPS < most:
        step = step * 2 if str(step)[0] in "15" else step * 5 // 2
    return step * _STEPS
