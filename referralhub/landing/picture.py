"""The picture that goes with a shared link: who invites, drawn as a card of 1200 × 630 (what the networks ask for)."""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

from referralhub.services.brand.colours import mix
from referralhub.services.brand.palette import palette_of

SIZE = (1200, 630)
FACE = 200  # pixels, of an avatar
SOFTER = 0.12  # the last line, which says what there is to get
FONT = Path(__file__).parent.parent / "data/inter/Inter-Medium.woff2"
NO_LETTER = "\uffff"  # which will never be one: the font draws it as it draws all that it lacks


@lru_cache(256)
def draw(name: str, invites: str, gift: str, brand: str, accent: str, avatar: bytes | None = None) -> bytes:
    """Draw the card as a PNG, in the colours of the brand's accent. What the font lacks letters for is left out.

    The avatar is the one that we wrote ourselves.
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
    _write(pen, (176, 116), brand, 44, ink, "lm")
    left_of_name = _show_face(image, avatar) if avatar else 80
    _write(pen, (left_of_name, 330), name, 96, ink)
    _write(pen, (left_of_name, 420), invites, 72, ink)
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


def _show_face(image: Image.Image, avatar: bytes) -> int:
    """Put a round avatar before the name, and return where the name begins then."""
    with Image.open(io.BytesIO(avatar)) as file:
        face = file.convert("RGBA").resize((FACE, FACE))
    circle = Image.new("L", (4 * FACE, 4 * FACE))  # drawn large, so that its edge is smooth
    ImageDraw.Draw(circle).ellipse((0, 0, 4 * FACE - 1, 4 * FACE - 1), fill=255)
    mask = ImageChops.multiply(circle.resize((FACE, FACE)), face.getchannel("A"))
    image.paste(face.convert("RGB"), (80, 240), mask)
    return 80 + FACE + 40


def _gradient(left: str, right: str) -> Image.Image:
    line = Image.new("RGB", (SIZE[0], 1))
    for x in range(SIZE[0]):
        line.putpixel((x, 0), ImageColor.getrgb(mix(left, right, x / (SIZE[0] - 1))))
    return line.resize(SIZE)


@lru_cache(8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
