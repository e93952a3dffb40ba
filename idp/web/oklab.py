"""Take some of the colour out of a colour without changing how light it looks (Oklab, CSS Color 4 §9.2)."""

# ruff: noqa: PLR2004 - the formulas are known by their numbers

import math

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

_RGB_TO_XYZ: Matrix = (
    (0.4124564390896922, 0.357576077643909, 0.18043748326639894),
    (0.21267285140562253, 0.715152155287818, 0.07217499330655958),
    (0.0193338955823293, 0.11919202588130297, 0.9503040785363679),
)
_XYZ_TO_RGB: Matrix = (
    (3.2404541621141045, -1.5371385127977166, -0.498531409556016),
    (-0.9692660305051868, 1.8760108454466942, 0.041556017530349834),
    (0.055643430959114726, -0.2040259135167538, 1.0572251882231791),
)
_XYZ_TO_LMS: Matrix = (
    (0.819022437996703, 0.3619062600528904, -0.1288737815209879),
    (0.0329836539323885, 0.9292868615863434, 0.0361446663506424),
    (0.0481771893596242, 0.2642395317527308, 0.6335478284694309),
)
_LMS_TO_XYZ: Matrix = (
    (1.2268798758459243, -0.5578149944602171, 0.2813910456659647),
    (-0.0405757452148008, 1.112286803280317, -0.0717110580655164),
    (-0.0763729366746601, -0.4214933324022432, 1.5869240198367816),
)
_LMS_TO_OKLAB: Matrix = (
    (0.210454268309314, 0.7936177747023054, -0.0040720430116193),
    (1.9779985324311684, -2.4285922420485799, 0.450593709617411),
    (0.0259040424655478, 0.7827717124575296, -0.8086757549230774),
)
_OKLAB_TO_LMS: Matrix = (
    (1.0, 0.3963377773761749, 0.2158037573099136),
    (1.0, -0.1055613458156586, -0.0638541728258133),
    (1.0, -0.0894841775298119, -1.2914855480194092),
)


def lower_chroma(colour: Vector, factor: float) -> Vector:
    """Multiply the Oklab chroma of an sRGB colour (0 to 255 each) by `factor`, 0 to 1; may leave the gamut."""
    linear = (_linear(colour[0] / 255), _linear(colour[1] / 255), _linear(colour[2] / 255))
    cones = _times(_XYZ_TO_LMS, _times(_RGB_TO_XYZ, linear))
    light, a, b = _times(_LMS_TO_OKLAB, (_root(cones[0]), _root(cones[1]), _root(cones[2])))
    calm = _times(_OKLAB_TO_LMS, (light, a * factor, b * factor))
    red, green, blue = _times(_XYZ_TO_RGB, _times(_LMS_TO_XYZ, (calm[0] ** 3, calm[1] ** 3, calm[2] ** 3)))
    return (255 * _companded(red), 255 * _companded(green), 255 * _companded(blue))


def _times(matrix: Matrix, vector: Vector) -> Vector:
    first, second, third = (sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix)
    return (first, second, third)


def _root(value: float) -> float:
    return math.copysign(math.pow(abs(value), 1 / 3), value)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else math.pow((value + 0.055) / 1.055, 2.4)


def _companded(value: float) -> float:
    size = abs(value)
    light = 12.92 * size if size <= 0.0031308 else 1.055 * math.pow(size, 1 / 2.4) - 0.055
    return math.copysign(light, value)
