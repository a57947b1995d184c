"""PNG files, decoded and written anew: only pixels are left, neither metadata nor what hides behind the picture."""

import io
import struct
import zlib

from referralhub.services.shared.errors import BadSetting

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 4_000_000
KEPT_WITHIN = (640, 320)  # pixels, many times as large as it is ever shown


def clean(file: bytes) -> tuple[bytes, int, int]:
    """Return the picture as a PNG file of our own, with its width and height. Raises BadSetting."""
    from PIL import Image  # noqa: PLC0415 - most processes never see a logo

    if file[12:16] != b"IHDR" or len(file) < 24:
        raise BadSetting("logo", "logo_damaged")
    width, height = struct.unpack(">II", file[16:24])
    if not 0 < width * height <= MOST_PIXELS:  # before anything is decoded
        raise BadSetting("logo", "logo_too_large", width=width, height=height, most=MOST_PIXELS // 1_000_000)
    try:
        with Image.open(io.BytesIO(file), formats=["PNG"]) as image:
            pixels = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, struct.error, zlib.error, EOFError, IndexError):
        raise BadSetting("logo", "logo_damaged") from None
    pixels.thumbnail(KEPT_WITHIN)
    bare = Image.new("RGBA", pixels.size)  # since `pixels` still has the file's metadata
    bare.paste(pixels)
    out = io.BytesIO()
    bare.save(out, "PNG", optimize=True)
    return out.getvalue(), *bare.size
