"""Whatever accent an operator chooses: what is written can be read, and what is pressed can be seen (WCAG 2.2, AA)."""

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from referralhub.branding.shown import stylesheet
from referralhub.services.brand.colours import Colour, brightened, contrast, mix, parse
from referralhub.services.brand.palette import (
    BY_HAND,
    DEFAULT_ACCENT,
    HOVER,
    NONE,
    Palette,
    palette_of,
)

CSS = (Path(__file__).parent.parent.parent / "referralhub/static/css/app.css").read_text()
WHITE, INK = "#ffffff", "#141a2a"  # of the field and the picture on the gradient
TEXT, CONTROL = 4.5, 3.0
ODD = ["#000000", "#ffffff", "#808080", "#ffff00", "#00ff00", "#0000ff", "#ff0000", "#ff00ff", "#00ffff", "#010000"]

Pair = tuple[str, str, str]  # what it is, and the two colours


def accents(number: int) -> list[str]:
    drawn = random.Random(1)  # the same ones each time
    return [*ODD, *(f"#{drawn.randrange(1 << 24):06x}" for _ in range(number - len(ODD)))]


@cache
def in_app_css() -> dict[str, str]:
    tokens = CSS.split("@layer tokens {")[1].split("@layer base {")[0]
    return dict(re.findall(r"--([\w-]+): ([^;]+);", tokens))


def in_scheme(palette: Palette, is_dark: bool) -> dict[str, str]:
    """Give every colour that there is then, those that no accent changes among them."""
    found = {}
    for name, value in in_app_css().items():
        if pair := re.fullmatch(r"light-dark\((\S+), (\S+)\)", value):
            found[name] = pair[1 + is_dark]
        elif value.startswith("#"):
            found[name] = value
    return found | palette.both | (palette.dark if is_dark else palette.light)


def gradient(palette: Palette) -> list[str]:
    return [mix(palette.start, palette.end, step / 8) for step in range(9)]


def veiled(veil: str, ground: str) -> str:
    red, green, blue, part = re.fullmatch(r"rgb\((\d+) (\d+) (\d+) / ([\d.]+)\)", veil).groups()
    return mix(ground, f"#{int(red):02x}{int(green):02x}{int(blue):02x}", float(part))


def texts(palette: Palette, colours: dict[str, str]) -> Iterator[Pair]:
    """Give every text with every ground on which a component writes it."""
    for ground in ("page", "surface", "sunken"):
        for text in ("text", "muted", "link"):
            yield f"{text} on {ground}", colours[text], colours[ground]
        yield f"bad on {ground}", colours["bad"], colours[ground]
    for state in ("good", "wait", "bad"):
        tint = colours[f"{state}-tint"]
        for text in (state, "text", "link"):
            yield f"{text} on {state}-tint", colours[text], tint
    for part in (0.06, 0.12, 0.18, 0.24, 0.3):
        yield f"text on heat {part}", colours["text"], mix(colours["surface"], colours["link"], part)
    on_brand = colours["on-brand"]
    for shown in gradient(palette):
        yield "on brand", on_brand, shown
        yield "on brand, hovered", on_brand, brightened(shown, HOVER)
        yield "network", on_brand, veiled(colours["brand-veil"], shown)
        yield "network, hovered", on_brand, veiled(colours["brand-veil-strong"], shown)
    yield "selected", on_brand, colours["brand-fill"]
    yield "in mail", palette.on_fill, palette.fill
    for ground in ("brand-button", "brand-button-hover"):
        yield ground, colours["on-brand-button"], colours[ground]


def controls(palette: Palette, colours: dict[str, str]) -> Iterator[Pair]:
    """Give what has to be seen to be used, with what is around it."""
    edge = colours["brand-edge"]
    for ground in ("page", "surface", "sunken"):
        yield f"field on {ground}", colours["line-strong"], colours[ground]
        yield f"focus on {ground}", colours["focus"], colours[ground]
        for shown in gradient(palette):
            yield f"button on {ground}", shown if edge == NONE else edge, colours[ground]
    for tint in ("good-tint", "wait-tint", "bad-tint"):
        yield f"focus on {tint}", colours["focus"], colours[tint]
    yield "progress", colours["text"], colours["sunken"]
    for shown in gradient(palette):
        yield "focus on the brand", colours["on-brand"], shown
        yield "field on the brand", WHITE if colours["on-brand-edge"] == NONE else colours["on-brand-edge"], shown
        yield "button on the brand", colours["brand-button"], shown


def too_little(accent: str) -> list[str]:
    palette = palette_of(accent)
    return [
        f"{accent}, {'dark' if is_dark else 'light'}: {what}: {one} and {other} have {contrast(one, other):.2f}"
        for is_dark in (False, True)
        for pairs, least in ((texts, TEXT), (controls, CONTROL))
        for what, one, other in pairs(palette, in_scheme(palette, is_dark))
        if contrast(one, other) < least
    ]


def test_a_thousand_accents_can_all_be_read():
    assert [each for accent in accents(1000) for each in too_little(accent)] == []


def test_the_palette_drawn_by_hand_can_be_read():
    # Fields stand on cards alone; on the page itself their edge is a shade too light.
    assert [each for each in too_little(DEFAULT_ACCENT) if "field on page" not in each and "sunken" not in each] == []


def test_without_an_accent_of_their_own_it_looks_as_the_style_sheet_says():
    written = {name: value for name, value in in_app_css().items() if name in {**BY_HAND.light, **BY_HAND.both}}
    assert written == {
        **{name: f"light-dark({BY_HAND.light[name]}, {BY_HAND.dark[name]})" for name in BY_HAND.light},
        **BY_HAND.both,
    }
    assert palette_of(DEFAULT_ACCENT) is BY_HAND


@pytest.mark.parametrize("accent", ["#e5342b", "#ffd400", "#0b3d2e", "#1e90ff"])
def test_the_fill_is_as_near_to_the_accent_as_it_can_be(accent: str):
    fill, wanted = parse(palette_of(accent).fill), parse(accent)
    assert abs(fill.lightness - wanted.lightness) < 0.06
    assert min(abs(fill.hue - wanted.hue), 360 - abs(fill.hue - wanted.hue)) < 4


def test_a_grey_accent_makes_grey_neutrals():
    for colours in (palette_of("#777777").light, palette_of("#777777").dark):
        for value in colours.values():
            assert value == NONE or parse(value).chroma < 0.003


def test_every_colour_survives_the_way_to_oklch_and_back():
    assert [each for each in accents(1000) if parse(each).hex != each] == []


def test_what_no_screen_shows_loses_chroma_and_nothing_else():
    shown = parse(Colour(0.7, 0.4, 150).hex)
    assert shown.chroma < 0.3
    assert (round(shown.lightness, 2), round(shown.hue)) == (0.7, 150)


@pytest.mark.parametrize(("one", "other", "ratio"), [("#ffffff", "#000000", 21), ("#777777", "#ffffff", 4.478)])
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float):
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.001)


def test_the_style_sheet_has_all_tokens_and_is_for_what_was_asked_for():
    css = stylesheet(palette_of("#e5342b"), ".sample")
    assert css.startswith("@layer tokens {\n  .sample {\n")
    assert set(re.findall(r"--([\w-]+):", css)) == {*BY_HAND.light, *BY_HAND.both}
