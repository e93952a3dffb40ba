"""A town's colours: one brand colour in, the whole light and dark theme out.

This is the colour generator of Designsystemet (MIT, Norwegian Digitalisation Agency) as pure functions:
every token has a fixed relative luminance per scheme, so whatever colour a town picks, text keeps its
contrast. The fill of a button is the town's own choice; `readable_scale` and the border of `brand_css`
keep it usable, and `contrast_problems` tells the operator about a colour that needed such help.

Colours are `#rrggbb` text at the edge and `(red, green, blue)` floats from 0 to 255 inside.
"""

# ruff: noqa: PLR2004 - the formulas are known by their numbers

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

from idp.web.oklab import lower_chroma

Scheme = Literal["light", "dark"]
Rgb = tuple[float, float, float]

SCHEMES: tuple[Scheme, ...] = ("light", "dark")

SUPPORT_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "#1f2937",
        "info": "#0a71c0",
        "success": "#068718",
        "warning": "#ea9b1b",
        "danger": "#c01b1b",
    }
)
"""The colours that mean something; a town cannot change them, so red stays red everywhere."""

_LINK_VISITED = "#663299"
_DARK_CHROMA = 0.7  # grounds are calmer in the dark scheme
_TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
_CONTROL_CONTRAST = 3.0  # WCAG 2.2, 1.4.11


class _Luminance(NamedTuple):
    light: float
    dark: float


_LUMINANCE: Mapping[str, _Luminance] = MappingProxyType(
    {
        "background-default": _Luminance(1, 0.009),
        "background-tinted": _Luminance(0.9, 0.014),
        "surface-default": _Luminance(1, 0.021),
        "surface-tinted": _Luminance(0.81, 0.027),
        "surface-hover": _Luminance(0.7, 0.036),
        "surface-active": _Luminance(0.59, 0.056),
        "border-subtle": _Luminance(0.5, 0.08),
        "border-default": _Luminance(0.19, 0.22),
        "border-strong": _Luminance(0.11, 0.39),
        "text-subtle": _Luminance(0.11, 0.39),
        "text-default": _Luminance(0.0245, 0.84),
    }
)


class ColourError(ValueError):
    """The text is not a colour of the form `#rrggbb`."""


def parse_hex(text: str) -> Rgb:
    """Read `#rrggbb` (either case); raise `ColourError` for anything else, short forms and names included."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ColourError(f"{text!r} is not a colour of the form #rrggbb")
    return (float(int(text[1:3], 16)), float(int(text[3:5], 16)), float(int(text[5:7], 16)))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(parse_hex(one)), _luminance(parse_hex(other))))
    return (lighter + 0.05) / (darker + 0.05)


@cache
def colour_scale(colour: str, scheme: Scheme) -> Mapping[str, str]:
    """Give the sixteen tokens of one colour in one scheme, token name to `#rrggbb`.

    Raises `ColourError` when `colour` is not `#rrggbb`.
    """
    base = parse_hex(colour)
    ground = base if scheme == "light" else _rounded(lower_chroma(base, _DARK_CHROMA))
    scale = {name: _hex(_with_luminance(ground, getattr(of, scheme))) for name, of in _LUMINANCE.items()}
    return MappingProxyType(scale | _base_tokens(base, scheme))


def brand_css(brand: str, *, support: Mapping[str, str] = SUPPORT_COLOURS) -> str:
    """Give the style sheet of custom properties that colours every page, light and dark.

    `brand` and the values of `support` are `#rrggbb`; raises `ColourError` otherwise. The sheet follows
    the reader's `prefers-color-scheme`; it belongs in the layer `ds.theme`, which the vendored sheet opens.
    """
    light, dark = (_declarations(brand, support, scheme) for scheme in SCHEMES)
    return (
        f"@layer ds.theme{{:root{{{light};color-scheme:light dark}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}}}\n"
    )


def contrast_problems(brand: str) -> list[str]:
    """Say in plain words where a brand colour gives too little contrast; an empty list is a pass.

    Pages stay usable all the same, because `brand_css` draws a border around a fill that is too close to
    its ground. An operator should still see this when the service starts (WCAG 2.2, 1.4.11).
    """
    try:
        parse_hex(brand)
    except ColourError as problem:
        return [str(problem)]
    ratios = {scheme: _fill_contrast(brand, scheme) for scheme in SCHEMES}
    return [
        f"{brand}: in the {scheme} scheme a button has a contrast of {ratio:.1f} to 1 against the page; "
        f"3 to 1 is needed, so buttons get a border. Choose a colour further from the page's."
        for scheme, ratio in ratios.items()
        if ratio < _CONTROL_CONTRAST
    ]


def readable_scale(colour: str, scheme: Scheme) -> Mapping[str, str]:
    """Give `colour_scale` with hover and active fills on which the text of a button keeps 4.5 to 1.

    The generator moves the fill of a mid-tone towards its text when a pointer touches it; where that
    costs legibility (WCAG 2.2, 1.4.3) the fill stays as it is.
    """
    scale = dict(colour_scale(colour, scheme))
    for name, calmer in (("base-hover", "base-default"), ("base-active", "base-hover")):
        if contrast(scale["base-contrast-default"], scale[name]) < _TEXT_CONTRAST:
            scale[name] = scale[calmer]
    return MappingProxyType(scale)


def _declarations(brand: str, support: Mapping[str, str], scheme: Scheme) -> str:
    colours = {"accent": brand, **support}
    lines = [
        f"--ds-color-{name}-{token}:{value}"
        for name, colour in colours.items()
        for token, value in readable_scale(colour, scheme).items()
    ]
    neutral = colour_scale(support["neutral"], scheme)
    lines += [
        f"--ds-color-focus-inner:{neutral['background-default']}",
        f"--ds-color-focus-outer:{neutral['text-default']}",
        f"--ds-link-color-visited:{colour_scale(_LINK_VISITED, scheme)['base-default']}",
        f"--denizen-fill-border:{_fill_border(brand, scheme)}",
    ]
    return ";".join(lines)


def _fill_border(brand: str, scheme: Scheme) -> str:
    """Give a fill too close to the page's ground the border that keeps its edge visible."""
    pale = _fill_contrast(brand, scheme) < _CONTROL_CONTRAST
    return colour_scale(brand, scheme)["border-strong"] if pale else "transparent"


def _fill_contrast(brand: str, scheme: Scheme) -> float:
    ground = colour_scale(SUPPORT_COLOURS["neutral"], scheme)["surface-default"]
    return contrast(colour_scale(brand, scheme)["base-default"], ground)


def _base_tokens(base: Rgb, scheme: Scheme) -> dict[str, str]:
    lightness = _lightness(base)
    if scheme == "dark":
        lightness = 70 if lightness <= 30 else 100 - lightness
    step = -8 if lightness <= 30 or 49 <= lightness <= 65 else 8
    fill = _hex(base) if scheme == "light" else _hex(_with_lightness(base, lightness))
    return {
        "base-default": fill,
        "base-hover": _hex(_with_lightness(base, lightness - step)),
        "base-active": _hex(_with_lightness(base, lightness - 2 * step)),
        "base-contrast-subtle": _contrast_subtle(fill),
        "base-contrast-default": "#ffffff" if _white_reads_better(fill) else "#000000",
    }


def _contrast_subtle(fill: str) -> str:
    colour = parse_hex(fill)
    lightness = _lightness(colour)
    step = 60 if lightness <= 40 or lightness >= 60 else 50
    target = lightness + step if _white_reads_better(fill) else lightness - step
    return _hex(_with_lightness(colour, target))


def _white_reads_better(fill: str) -> bool:
    return contrast(fill, "#ffffff") >= contrast(fill, "#000000")


def _with_lightness(colour: Rgb, lightness: float) -> Rgb:
    return _with_luminance(colour, _luminance_of_lightness(lightness))


def _with_luminance(colour: Rgb, target: float) -> Rgb:
    """Mix with black or white until the relative luminance is `target` (bisection, at most 20 steps)."""
    if target in (0, 1):
        return (255.0 * target,) * 3
    darker = _luminance(colour) > target
    low, high = ((0.0, 0.0, 0.0), colour) if darker else (colour, (255.0, 255.0, 255.0))
    for _ in range(21):
        middle: Rgb = (
            low[0] + 0.5 * (high[0] - low[0]),
            low[1] + 0.5 * (high[1] - low[1]),
            low[2] + 0.5 * (high[2] - low[2]),
        )
        found = _luminance(middle)
        if abs(target - found) < 1e-7:
            break
        low, high = (low, middle) if found > target else (middle, high)
    return _rounded(middle)


def _luminance(colour: Rgb) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    red, green, blue = (_channel(value / 255) for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channel(value: float) -> float:
    return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4


def _lightness(colour: Rgb) -> float:
    """CIE L*, 0 to 100, as HSLuv computes it."""
    red, green, blue = (_linear(value / 255) for value in colour)
    y = 0.21263900587151 * red + 0.71516867876775 * green + 0.072192315360733 * blue
    return y * 903.2962962 if y <= 0.0088564516 else 116 * y ** (1 / 3) - 16


def _luminance_of_lightness(lightness: float) -> float:
    """Relative luminance of the grey with this L*, by way of the nearest of the 256 greys."""
    clipped = min(max(lightness, 0.0), 100.0)
    y = clipped / 903.2962962 if clipped <= 8 else ((clipped + 16) / 116) ** 3
    grey = 12.92 * y if y <= 0.0031308 else 1.055 * y ** (1 / 2.4) - 0.055
    level = float(int(grey * 255 + 0.5))
    return _luminance((level, level, level))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _rounded(colour: Rgb) -> Rgb:
    red, green, blue = (float(int(min(max(value, 0.0), 255.0) + 0.5)) for value in colour)
    return (red, green, blue)


def _hex(colour: Rgb) -> str:
    red, green, blue = (int(value) for value in _rounded(colour))
    return f"#{red:02x}{green:02x}{blue:02x}"
