"""The picture that goes with a shared link: who invites, drawn as a card of 1200 × 630 (what the networks ask for)."""

from functools import lru_cache

from referralhub.landing.drawing import Canvas, can_write

__all__ = ["can_write", "draw"]

SIZE = (1200, 630)
FACE = 200  # pixels, of an avatar
SOFTER = 0.12  # the last line, which says what there is to get


@lru_cache(256)
def draw(name: str, invites: str, gift: str, brand: str, accent: str, avatar: bytes | None = None) -> bytes:
    """Draw the card as a PNG, in the colours of the brand's accent. What the font lacks letters for is left out.

    The avatar is the one that we wrote ourselves.
    """
    canvas = Canvas.branded(SIZE, accent)
    canvas.mark((80, 80), 72)
    canvas.write((176, 116), brand, 44, canvas.ink, "lm")
    left = 80
    if avatar:
        canvas.face((80, 240), avatar, FACE)
        left += FACE + 40
    canvas.write((left, 330), name, 96, canvas.ink)
    canvas.write((left, 420), invites, 72, canvas.ink)
    canvas.write((80, 530), gift, 40, canvas.soft(SOFTER))
    return canvas.png()
