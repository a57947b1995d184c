"""The icons by which a phone or a desktop shows an installed site, drawn in the brand's colours.

They show the logo where it is pixels. One that is an SVG file cannot be drawn here: the first letter of the brand's
name stands in for it. Who has no logo gets our mark, as everywhere.
"""

import io
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw

from referralhub.branding.lettering import can_write, font
from referralhub.services.brand.palette import palette_of

GRID = 32  # units of a side of `static/img/mark.svg`, after which the mark is drawn
CORNER = 9
LINES, LINE = (((11.2, 14.2), (20, 10)), ((11.2, 17.8), (20, 22))), 2.4
DOTS = ((9, 16, 3.6), (22, 9.2, 3.0), (22, 22.8, 3.0))
FINE = 768  # pixels: about so large it is drawn, to be made smaller without steps
LIGHT, DARK = "#ffffff", "#141a2a"  # what a logo lies on
BRIGHT = 160  # of 255: what is as light as that lies on the dark one


class Icon(NamedTuple):
    """One that is drawn: its size in pixels, and whether it fills its square, for systems that cut out a shape."""

    size: int
    fills: bool


ICONS = {
    "icon-192": Icon(192, False),
    "icon-512": Icon(512, False),
    "maskable-192": Icon(192, True),
    "maskable-512": Icon(512, True),
    "apple-touch-icon": Icon(180, True),
}


def initial(name: str) -> str:
    """Return the letter of a brand that stands in for a logo which cannot be drawn, "" where there is none."""
    letter = next((each for each in name if each.isalnum()), "").upper()
    return letter if letter and len(letter) == 1 and can_write(letter) else ""


@lru_cache(32)
def draw(which: str, accent: str, letter: str, logo: bytes | None) -> bytes:
    """Draw one as a PNG file: with the logo, which is one, else with the letter, else with our mark."""
    icon, palette = ICONS[which], palette_of(accent)
    side = icon.size * max(2, FINE // icon.size)
    if logo:
        image = _with_logo(side, logo, icon.fills)
    else:
        image = _diagonal(side, palette.start, palette.end)
        pen = ImageDraw.Draw(image)
        if letter:
            middle = (side / 2, side / 2)
            pen.text(middle, letter, palette.on_fill, font(round(side * 0.56)), anchor="mm")
        else:
            _draw_mark(pen, side / GRID, palette.on_fill)
    if not icon.fills:
        image.putalpha(_rounded(side))
    out = io.BytesIO()
    image.resize((icon.size, icon.size), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw_mark(pen: ImageDraw.ImageDraw, unit: float, ink: str) -> None:
    for line in LINES:
        ends = [(x * unit, y * unit) for x, y in line]
        pen.line(ends, ink, round(LINE * unit))
        for end in ends:
            pen.circle(end, LINE * unit / 2, ink)
    for x, y, radius in DOTS:
        pen.circle((x * unit, y * unit), radius * unit, ink)


def _with_logo(side: int, logo: bytes, fills: bool) -> Image.Image:
    with Image.open(io.BytesIO(logo), formats=["PNG"]) as image:
        picture = image.convert("RGBA")
    ground = DARK if _is_bright(picture) else LIGHT
    tile = Image.new("RGB", (side, side), ground)
    room = round(side * (0.6 if fills else 0.76))  # a system may cut off a fifth at each side
    scale = min(room / picture.width, room / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    tile.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2), picture)
    return tile


def _is_bright(picture: Image.Image) -> bool:
    """Whether what is seen of a picture is so light that it would vanish on white."""
    seen = picture.getchannel("A")
    weights = picture.convert("L").histogram(seen.point(lambda alpha: 255 if alpha > 127 else 0))
    return sum(level * number for level, number in enumerate(weights)) > BRIGHT * max(1, sum(weights))


def _diagonal(side: int, start: str, end: str) -> Image.Image:
    """Fill a square from one corner to the other, as the mark's gradient does."""
    down = Image.linear_gradient("L").resize((side, side))
    across = down.transpose(Image.Transpose.TRANSPOSE)
    return Image.composite(
        Image.new("RGB", (side, side), end), Image.new("RGB", (side, side), start), ImageChops.add(down, across, 2)
    )


def _rounded(side: int) -> Image.Image:
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), side * CORNER / GRID, 255)
    return mask
