"""Every colour of the site from one accent, light and dark, within WCAG AA: text 4.5 to 1, controls and focus 3 to 1.

Names and meanings are those of the tokens in `static/css/app.css`. The accent that everybody begins with has the
palette that was drawn by hand; every other one gets neutrals, links and fills of its own hue. What says a state (good,
wait, bad) is the same for all. `docs/decisions/palette-from-one-accent.md` says why each is as it is.
"""

from dataclasses import dataclass
from functools import lru_cache

from referralhub.services.brand.colours import Colour, brightened, contrast, mix, nearest, parse, readable

Tokens = dict[str, str]

DEFAULT_ACCENT = "#9333ea"
TEXT, CONTROL = 4.6, 3.05  # of contrast; a hair more than WCAG asks for, as screens round
IN_THE_DARK = 7.1  # of text there, where WCAG's AAA costs nothing: what was drawn by hand has it, too
HOVER = 1.08  # how much brighter a pressed button is
TURN = -28  # degrees of hue from one end of the gradient to the other
DEEPER = 0.08  # by which the other end of a light gradient is darker, as light colours have little chroma
SAMPLES = [step / 4 for step in range(5)]  # of a gradient
WHITE, INK, INK_HOVER = "#ffffff", "#141a2a", "#2a3350"
NONE = "transparent"

# Lightness and chroma of the neutrals, light and dark; the hue is the accent's. The lightness is as it was drawn by
# hand; in the dark there is less chroma than there, since a warm hue is seen more than blue.
NEUTRALS = {
    "page": ((0.974, 0.007), (0.165, 0.013)),
    "surface": ((1.0, 0.0), (0.207, 0.017)),
    "sunken": ((0.956, 0.010), (0.179, 0.015)),
    "line": ((0.916, 0.016), (0.299, 0.024)),
    "line-strong": ((0.666, 0.036), (0.525, 0.032)),
    "text": ((0.220, 0.033), (0.946, 0.014)),
    "muted": ((0.479, 0.041), (0.728, 0.030)),
}
GROUNDS = ("page", "surface", "sunken")
VIVID = 0.12  # chroma from which neutrals have all of theirs; greyer accents give greyer ones
# The grounds of notices, which do not follow the accent; links stand on them, too.
TINTS = (("#e7f6ec", "#fef3d6", "#fdeaea"), ("#0f2a1c", "#2b2110", "#331519"))
CALM = 0.14  # most chroma of links in the dark


@dataclass(frozen=True)
class Palette:
    """The tokens by name, in the light, in the dark, and those that are the same in both.

    `start` and `end` are those of the gradient. Mail has no tokens: `fill` carries text of the colour `on_fill`, and
    `mail_light` and `mail_dark` are links on a card.
    """

    light: Tokens
    dark: Tokens
    both: Tokens
    start: str
    end: str
    fill: str
    on_fill: str
    mail_light: str
    mail_dark: str


BY_HAND = Palette(
    light={
        "page": "#f5f6fb", "surface": "#ffffff", "sunken": "#eef0f7", "line": "#dfe3ee", "line-strong": "#8a94ab",
        "text": "#141a2a", "muted": "#535d75", "link": "#1d4ed8", "focus": "#1d4ed8", "brand-edge": NONE,
    },
    dark={
        "page": "#0a0e18", "surface": "#111726", "sunken": "#0c111d", "line": "#242d42", "line-strong": "#5d6a87",
        "text": "#e9edf7", "muted": "#9ba7c2", "link": "#9db7ff", "focus": "#9db7ff", "brand-edge": NONE,
    },
    both={
        "brand": "linear-gradient(120deg, #9333ea, #2563eb)", "on-brand": WHITE, "brand-fill": "#9333ea",
        "brand-veil": "rgb(10 14 40 / 0.32)", "brand-veil-strong": "rgb(10 14 40 / 0.5)", "on-brand-edge": NONE,
        "brand-button": INK, "brand-button-hover": INK_HOVER, "on-brand-button": WHITE,
    },
    start="#9333ea", end="#2563eb", fill="#5b4be0", on_fill=WHITE, mail_light="#7c3aed", mail_dark="#c4b5fd",
)  # fmt: skip


@lru_cache(64)
def palette_of(accent: str) -> Palette:
    """Make the palette of an accent (`#rrggbb`)."""
    if accent == DEFAULT_ACCENT:
        return BY_HAND
    colour = parse(accent)
    light, dark = (_scheme(colour, is_dark) for is_dark in (False, True))
    start, end, on_brand = _gradient(colour)
    light["brand-edge"], dark["brand-edge"] = _edge(start, end, light), _edge(start, end, dark)
    both = {"brand": f"linear-gradient(120deg, {start}, {end})", "on-brand": on_brand, "brand-fill": start}
    both |= _upon(start, end, on_brand)
    return Palette(light, dark, both, start, end, start, on_brand, light["link"], dark["link"])


def _scheme(accent: Colour, is_dark: bool) -> Tokens:
    share = min(1.0, accent.chroma / VIVID)
    neutrals = {name: Colour(both[is_dark][0], both[is_dark][1] * share, accent.hue) for name, both in NEUTRALS.items()}
    grounds = [neutrals[name].hex for name in GROUNDS]
    towards, legible = (1.0, IN_THE_DARK) if is_dark else (0.0, TEXT)
    for name, ratio in (("text", legible), ("muted", legible), ("line-strong", CONTROL)):
        neutrals[name] = readable(neutrals[name], grounds, ratio, towards)
    tokens = {name: colour.hex for name, colour in neutrals.items()}
    wanted = accent._replace(chroma=min(accent.chroma, CALM)) if is_dark else accent
    link = readable(wanted, [*grounds, *TINTS[is_dark]], legible, towards)
    return tokens | {"link": link.hex, "focus": link.hex}


def _gradient(accent: Colour) -> tuple[str, str, str]:
    """Return both ends, as near to the accent as they can be, and the colour of the text on them."""

    def ends(colour: Colour, deeper: float) -> tuple[str, str]:
        end = Colour(colour.lightness - deeper, colour.chroma, (colour.hue + TURN) % 360)
        return colour.hex, end.hex

    def carries(text: str, colour: Colour, deeper: float) -> bool:
        shown = [mix(*ends(colour, deeper), part) for part in SAMPLES]
        return all(contrast(text, each) >= TEXT for each in [*shown, *(brightened(each, HOVER) for each in shown)])

    darker = nearest(accent, 0.0, lambda colour: carries(WHITE, colour, 0))
    lighter = nearest(accent, 1.0, lambda colour: carries(INK, colour, DEEPER))
    # A step to the dark is seen less than one to the light, which makes of red a pink.
    if accent.lightness - darker.lightness <= 2 * (lighter.lightness - accent.lightness):
        return *ends(darker, 0), WHITE
    return *ends(lighter, DEEPER), INK


def _edge(start: str, end: str, tokens: Tokens) -> str:
    """Return what a filled button is edged with: nothing where its fill itself is seen on every ground."""
    shown = [mix(start, end, part) for part in SAMPLES]
    if all(contrast(each, tokens[name]) >= CONTROL for each in shown for name in GROUNDS):
        return NONE
    return tokens["link"]


def _upon(start: str, end: str, on_brand: str) -> Tokens:
    """Return what lies on the gradient: a veil below text, the edge of a white field, and a button."""
    shown = [mix(start, end, part) for part in SAMPLES]
    dark_button = all(contrast(INK, each) >= CONTROL for each in shown)
    buttons = (INK, INK_HOVER, WHITE) if dark_button else (WHITE, "#e6e9f2", INK)
    names = ("brand-button", "brand-button-hover", "on-brand-button")
    veil = "10 14 40" if on_brand == WHITE else "255 255 255"
    return {
        "brand-veil": f"rgb({veil} / 0.32)",
        "brand-veil-strong": f"rgb({veil} / 0.5)",
        "on-brand-edge": NONE if on_brand == WHITE else INK,
    } | dict(zip(names, buttons, strict=True))
