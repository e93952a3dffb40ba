"""Brand colours: the theme is the design system's own, and stays legible whatever a town picks."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.web.brand import (
    SCHEMES,
    SUPPORT_COLOURS,
    ColourError,
    Scheme,
    brand_css,
    colour_scale,
    contrast,
    contrast_problems,
    readable_scale,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "brand_colours.json").read_text())["colours"]
STATIC = Path(__file__).parents[3] / "idp" / "ui" / "static"

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
schemes = st.sampled_from(SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("colour", VECTORS)
def test_the_scale_equals_that_of_the_design_system(colour: str, scheme: Scheme) -> None:
    """Every token of the generator's own output is reproduced, digit by digit."""
    assert dict(colour_scale(colour, scheme)) == VECTORS[colour][scheme]


@given(colours, schemes)
def test_text_is_legible_whatever_the_brand_colour(colour: str, scheme: Scheme) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text on each ground it stands on, and on a button in every state."""
    scale = readable_scale(colour, scheme)
    for ground in ("background-default", "background-tinted", "surface-default"):
        assert contrast(scale["text-default"], scale[ground]) >= 7
        assert contrast(scale["text-subtle"], scale[ground]) >= 4.5
    for state in ("base-default", "base-hover", "base-active"):
        assert contrast(scale["base-contrast-default"], scale[state]) >= 4.5


def test_a_calm_colour_has_no_problems() -> None:
    """A dark green and a strong blue need no help in either scheme."""
    assert contrast_problems("#0b6e4f") == []
    assert contrast_problems("#1d4ed8") == []


def test_a_pale_colour_is_named_with_its_scheme_and_gets_a_border() -> None:
    """WCAG 2.2, 1.4.11: the edge of a button keeps 3 to 1; the operator is told when a border must do it."""
    assert any("light scheme" in text for text in contrast_problems("#ffe9a8"))
    light = brand_css("#ffe9a8").partition("@media")[0]
    border = re.search(r"--denizen-fill-border:(#[0-9a-f]{6})", light)
    assert border is not None
    assert contrast(border[1], "#ffffff") >= 3
    assert "--denizen-fill-border:transparent" in brand_css("#0b6e4f")


@pytest.mark.parametrize(
    "text", ["", "green", "#abc", "0b6e4f", "#0b6e4g", "#0b6e4f;}body{display:none", "#0b6e4f\n"]
)
def test_what_is_not_a_colour_is_refused(text: str) -> None:
    """Settings go into a style sheet: only `#rrggbb` may pass."""
    assert len(contrast_problems(text)) == 1
    with pytest.raises(ColourError):
        brand_css(text)


def test_the_sheet_has_both_schemes_and_every_colour() -> None:
    """Dark colours apply under the reader's preference alone; each colour has its sixteen tokens."""
    light, _, dark = brand_css("#0b6e4f").partition("@media (prefers-color-scheme:dark)")
    for part in (light, dark):
        for name in ("accent", *SUPPORT_COLOURS):
            assert part.count(f"--ds-color-{name}-") == 16
    assert light.count("{") == light.count("}") + 1
    assert light != dark


def test_every_colour_the_vendored_sheet_asks_for_is_given() -> None:
    """No colour token used by the style sheets is left without a value."""
    sheets = "".join((STATIC / name).read_text() for name in ("designsystemet.css", "denizen.css"))
    asked = set(re.findall(r"var\((--ds-color-[a-z0-9-]+|--denizen-[a-z-]+)\)", sheets))
    given_here = set(re.findall(r"(--[a-z0-9-]+):", brand_css("#0b6e4f") + sheets))
    assert asked
    assert asked <= given_here
