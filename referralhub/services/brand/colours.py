"""Colours in OKLCH, where lightness is what people see: from and to sRGB, and how well one is read on another.

The conversions are Björn Ottosson's (bottosson.github.io/posts/oklab), the contrast is that of WCAG 2.2.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import atan2, cos, degrees, hypot, radians, sin
from typing import NamedTuple

Linear = tuple[float, float, float]  # red, green, blue, each from 0 to 1 in proportion to light

STEPS = 14  # of halving: finer than a step of sRGB
ALMOST = 1e-4  # by which rounding may leave sRGB


class Colour(NamedTuple):
    """Lightness from 0 to 1, chroma from 0 (grey) to about 0.3, hue in degrees."""

    lightness: float
    chroma: float
    hue: float

    @property
    def hex(self) -> str:
        """The colour as `#rrggbb`; one that no screen shows loses chroma until it can be shown."""
        return _hex(self)

    def at(self, lightness: float) -> "Colour":
        """Return the same hue and chroma, lighter or darker."""
        return self._replace(lightness=lightness)


def parse(text: str) -> Colour:
    """Read `#rrggbb`."""
    red, green, blue = _linear(text)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Colour(lightness, hypot(a, b), degrees(atan2(b, a)) % 360)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (`#rrggbb`), from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(one: str, other: str, part: float) -> str:
    """Return what a browser shows between two colours of a gradient, `part` of the way to the other."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def brightened(colour: str, factor: float) -> str:
    """Return what CSS's `brightness()` makes of a colour."""
    return "#" + "".join(f"{min(255, round(each * factor)):02x}" for each in _channels(colour))


def readable(colour: Colour, on: Iterable[str], ratio: float, towards: float) -> Colour:
    """Return the colour, as much lighter or darker as it takes to be read on each of these grounds.

    `towards` is the lightness, 0 or 1, at which it surely is.
    """
    grounds = list(on)
    return nearest(colour, towards, lambda it: all(contrast(it.hex, ground) >= ratio for ground in grounds))


def nearest(colour: Colour, towards: float, good: Callable[[Colour], bool]) -> Colour:
    """Return the colour at the lightness nearest to its own that is good, on the way to one that is."""
    if good(colour):
        return colour
    bad, enough = colour.lightness, towards
    for _ in range(STEPS):
        middle = (bad + enough) / 2
        if good(colour.at(middle)):
            enough = middle
        else:
            bad = middle
    return colour.at(enough)


@lru_cache(4096)
def _hex(colour: Colour) -> str:
    lightness = min(max(colour.lightness, 0.0), 1.0)
    shown = _to_linear(colour.at(lightness))
    if not _exists(shown):
        least, most = 0.0, colour.chroma
        for _ in range(STEPS):
            middle = (least + most) / 2
            if _exists(_to_linear(Colour(lightness, middle, colour.hue))):
                least = middle
            else:
                most = middle
        shown = _to_linear(Colour(lightness, least, colour.hue))
    return "#" + "".join(f"{round(255 * _gamma(min(max(each, 0.0), 1.0))):02x}" for each in shown)


def _to_linear(colour: Colour) -> Linear:
    a, b = colour.chroma * cos(radians(colour.hue)), colour.chroma * sin(radians(colour.hue))
    long = (colour.lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (colour.lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (colour.lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _exists(light: Linear) -> bool:
    return all(-ALMOST <= each <= 1 + ALMOST for each in light)


def _gamma(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _channels(text: str) -> Iterator[int]:
    return (int(text[place : place + 2], 16) for place in (1, 3, 5))


@lru_cache(4096)
def _linear(text: str) -> Linear:
    shares = [each / 255 for each in _channels(text)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return red, green, blue


@lru_cache(4096)
def _luminance(text: str) -> float:
    red, green, blue = _linear(text)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
