"""The picture that goes with a shared link: who invites, drawn as a card of 1200 × 630 (what the networks ask for)."""

import io
from functools import lru_cache

from PIL import Image, ImageColor, ImageDraw, ImageFont

from referralhub.services.brand.colours import mix
from referralhub.services.brand.palette import palette_of

SIZE = (1200, 630)
SOFTER = 0.12  # the last line, which says what there is to get


@lru_cache(256)
def draw(name: str, text: str, brand: str, accent: str) -> bytes:
    """Draw the card as a PNG, in the colours of the brand's accent.

    A name in a script that the font lacks becomes "A friend", and that of a brand is left out.
    """
    palette = palette_of(accent)
    left, right, ink = palette.start, palette.end, palette.on_fill
    image = _gradient(left, right)
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((80, 80, 152, 152), 18, fill=ink)
    pen.line((104, 116, 128, 100), fill=left, width=6)
    pen.line((104, 116, 128, 132), fill=right, width=6)
    for centre in ((104, 116), (128, 100), (128, 132)):
        pen.circle(centre, 9, fill=left)
    pen.text((176, 116), _fitted(pen, brand if brand.isascii() else "", 44, 96), ink, _font(44), anchor="lm")
    shown = name if name.isascii() else "A friend"
    pen.text((80, 330), _fitted(pen, shown, 96), ink, _font(96), anchor="ls")
    pen.text((80, 420), "invites you", ink, _font(72), anchor="ls")
    pen.text((80, 530), _fitted(pen, text, 40), mix(ink, left, SOFTER), _font(40), anchor="ls")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _gradient(left: str, right: str) -> Image.Image:
    line = Image.new("RGB", (SIZE[0], 1))
    for x in range(SIZE[0]):
        line.putpixel((x, 0), ImageColor.getrgb(mix(left, right, x / (SIZE[0] - 1))))
    return line.resize(SIZE)


def _fitted(pen: ImageDraw.ImageDraw, text: str, size: int, taken: int = 0) -> str:
    room = SIZE[0] - 160 - taken
    while pen.textlength(text, _font(size)) > room:
        text = text[:-2].rstrip(" …") + "…"
    return text


@lru_cache(8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
