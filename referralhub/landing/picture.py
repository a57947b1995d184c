"""The picture that goes with a shared link: who invites, drawn as a card of 1200 × 630 (what the networks ask for)."""

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 630)
LEFT, RIGHT = (0x93, 0x33, 0xEA), (0x25, 0x63, 0xEB)  # the product's gradient
WHITE, SOFT = (255, 255, 255), (228, 226, 255)


@lru_cache(256)
def draw(name: str, text: str) -> bytes:
    """Draw the card as a PNG. A name in a script that the font lacks becomes "A friend"."""
    image = _gradient()
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((80, 80, 152, 152), 18, fill=WHITE)
    pen.line((104, 116, 128, 100), fill=LEFT, width=6)
    pen.line((104, 116, 128, 132), fill=RIGHT, width=6)
    for centre in ((104, 116), (128, 100), (128, 132)):
        pen.circle(centre, 9, fill=LEFT)
    pen.text((176, 116), "ReferralHub", WHITE, _font(44), anchor="lm")
    shown = name if name.isascii() else "A friend"
    pen.text((80, 330), _fitted(pen, shown, 96), WHITE, _font(96), anchor="ls")
    pen.text((80, 420), "invites you", WHITE, _font(72), anchor="ls")
    pen.text((80, 530), _fitted(pen, text, 40), SOFT, _font(40), anchor="ls")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _gradient() -> Image.Image:
    line = Image.new("RGB", (SIZE[0], 1))
    for x in range(SIZE[0]):
        part = x / (SIZE[0] - 1)
        line.putpixel((x, 0), tuple(round(a + (b - a) * part) for a, b in zip(LEFT, RIGHT, strict=True)))
    return line.resize(SIZE)


def _fitted(pen: ImageDraw.ImageDraw, text: str, size: int) -> str:
    room = SIZE[0] - 160
    while pen.textlength(text, _font(size)) > room:
        text = text[:-2].rstrip(" …") + "…"
    return text


@lru_cache(8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
