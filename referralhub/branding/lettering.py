"""The letters that pictures are written with: Inter, which comes along."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONT = Path(__file__).parent.parent / "data/inter/Inter-Medium.woff2"
NO_LETTER = "\uffff"  # which will never be one: the font draws it as it draws all that it lacks


@lru_cache(1024)
def can_write(text: str) -> bool:
    """Tell whether the font has all the letters of a text."""
    letters = font(16)
    lacking = bytes(letters.getmask(NO_LETTER))
    return all(bytes(letters.getmask(letter)) != lacking for letter in text)


@lru_cache(32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font in a size in pixels."""
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)
