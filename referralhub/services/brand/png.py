"""PNG files, decoded and written anew: only pixels are left, neither metadata nor what hides behind the picture."""

from referralhub.services.shared import pixels

SIGNATURE = pixels.PNG
MOST_PIXELS = 4_000_000
KEPT_WITHIN = (640, 320)  # pixels, many times as large as it is ever shown


def clean(file: bytes) -> tuple[bytes, int, int]:
    """Return the picture as a PNG file of our own, with its width and height. Raises BadSetting."""
    picture = pixels.plain(pixels.decode(file, "logo", MOST_PIXELS)).convert("RGBA")
    picture.thumbnail(KEPT_WITHIN)
    return pixels.written(picture, "PNG", optimize=True), *picture.size
