"""The pictures that go with shared links, drawn as cards of 1200 × 630 (what the networks ask for)."""

from functools import lru_cache

from referralhub.landing.drawing import Canvas

SIZE = (1200, 630)
FACE = 200  # pixels, of an avatar
SOFTER = 0.12  # the last line, which says what there is to get
LARGEST, SMALLEST = 96, 56  # of a headline; a long one is written in two lines, and smaller


@lru_cache(256)
def draw(name: str, invites: str, gift: str, brand: str, accent: str, avatar: bytes | None = None) -> bytes:
    """Draw who invites, as a PNG in the colours of the brand's accent. What the font lacks letters for is left out.

    The avatar is the one that we wrote ourselves.
    """
    canvas, left = _card(brand, accent), 80
    if avatar:
        canvas.face((80, 240), avatar, FACE)
        left += FACE + 40
    canvas.write((left, 330), name, 96, canvas.ink)
    canvas.write((left, 420), invites, 72, canvas.ink)
    canvas.write((80, 530), gift, 40, canvas.soft(SOFTER))
    return canvas.png()


@lru_cache(64)
def draw_headline(headline: str, brand: str, accent: str) -> bytes:
    """Draw what the site says of itself, so large that it fits into two lines; what does not is cut."""
    canvas, room = _card(brand, accent), SIZE[0] - 160
    size, lines = next(
        (
            (size, lines)
            for size in range(LARGEST, SMALLEST, -8)
            if len(lines := canvas.broken(headline, size, room)) <= 2
        ),
        (SMALLEST, canvas.broken(headline, SMALLEST, room)),
    )
    for number, line in enumerate([*lines[:1], " ".join(lines[1:])]):
        canvas.write((80, 360 + number * round(1.15 * size)), line, size, canvas.ink)
    return canvas.png()


def _card(brand: str, accent: str) -> Canvas:
    """Begin a card with the mark and the brand's name."""
    canvas = Canvas.branded(SIZE, accent)
    canvas.mark((80, 80), 72)
    canvas.write((176, 116), brand, 44, canvas.ink, "lm")
    return canvas
