"""The picture that goes with a shared link: who invites, drawn as a card of 1200 × 630 (what the networks ask for)."""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

from referralhub.services.brand.colours import mix
from referralhub.services.brand.palette import palette_of

SIZE = (1200, 630)
SOFTER = 0.12  # the last line, which says what there is to get
FONT = Path(__file__).parent.parent / "data/inter/Inter-Medium.woff2"
NO_LETTER = "\uffff"  # which will never be one: the font draws it as it draws all that it lacks


@lru_cache(256)
def draw(name: str, invites: str, gift: str, brand: str, accent: str) -> bytes:
    """Draw the card as a PNG, in the colours of the brand's accent. What the font lacks letters for is left out."""
    palette = palette_of(accent)
    left, right, ink = palette.start, palette.end, palette.on_fill
    image = _gradient(left, right)
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((80, 80, 152, 152), 18, fill=ink)
    pen.line((104, 116, 128, 100), fill=left, width=6)
    pen.line((104, 116, 128, 132), fill=right, width=6)
    for centre in ((104, 116), (128, 100), (128, 132)):
        pen.circle(centre, 9, fill=left)
    _write(pen, (176, 116), brand, 44, ink, "lm")
    _write(pen, (80, 330), name, 96, ink)
    _write(pen, (80, 420), invites, 72, ink)
    _write(pen, (80, 530), gift, 40, mix(ink, left, SOFTER))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


@lru_cache(1024)
def can_write(text: str) -> bool:
    """Tell whether the font has all the letters of a text."""
    font = _font(16)
    lacking = bytes(font.getmask(NO_LETTER))
    return all(bytes(font.getmask(letter)) != lacking for letter in text)


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: str, anchor: str = "ls"
) -> None:
    if not can_write(text):
        return
    room = SIZE[0] - 80 - place[0]
    while pen.textlength(text, _font(size)) > room:
        text = text[:-2].rstrip(" …") + "…"
    pen.text(place, text, ink, _font(size), anchor=anchor)


def _gradient(left: str, right: str) -> Image.Image:
    line = Image.new("RGB", (SIZE[0], 1))
    for x in range(SIZE[0]):
        line.putpixel((x, 0), ImageColor.getrgb(mix(left, right, x / (SIZE[0] - 1))))
    return line.resize(SIZE)


@lru_cache(8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
