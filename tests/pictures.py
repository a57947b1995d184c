"""Picture files of every kind, good and bad, as people and others upload them."""

import io
import struct
import zlib

from PIL import Image, ImageDraw

PNG = b"\x89PNG\r\n\x1a\n"
COLOURS = {
    "1": 1, "L": 80, "LA": (80, 200), "P": 3, "RGB": (229, 52, 43), "RGBA": (229, 52, 43, 255), "I;16": 32768,
    "CMYK": (20, 220, 200, 10), "YCbCr": (100, 120, 180),
}  # fmt: skip


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: object) -> bytes:
    """Give a file of one colour."""
    return encoded(Image.new(mode, size, COLOURS[mode]), kind, **options)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(file: bytes) -> Image.Image:
    with Image.open(io.BytesIO(file)) as image:
        image.load()
        return image


def chunk(kind: bytes, data: bytes) -> bytes:
    """Give a part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    """Give the beginning of a PNG file that says to be so large."""
    return PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))


def bomb(width: int, height: int) -> bytes:
    """Give a small PNG file that unfolds to as many pixels."""
    return header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def animation(kind: str) -> bytes:
    """Give a red picture that turns blue."""
    red, blue = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    return encoded(red, kind, save_all=True, append_images=[blue], duration=100)


def webp_of_size(width: int, height: int) -> bytes:
    """Give the beginning of a WebP file that says to be so large."""
    said = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + said + bytes(64)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of_size(width: int, height: int) -> bytes:
    """Give a JPEG file that says to be so large, and is not."""
    file = bytearray(picture("JPEG", (16, 16)))
    place = file.index(b"\xff\xc0") + 5
    file[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(file)


def endless_jpeg(side: int, passes: int) -> bytes:
    """Give a JPEG file whose last pass over the picture comes again and again."""
    file = picture("JPEG", (side, side), progressive=True)
    return file[:-2] + passes * file[file.rindex(b"\xff\xda") : -2] + file[-2:]


def face(size: tuple[int, int] = (900, 600)) -> Image.Image:
    """Give a landscape with a red spot in its middle, and green at the left edge."""
    image = Image.new("RGB", size, (120, 170, 200))
    pen, (width, height) = ImageDraw.Draw(image), size
    pen.rectangle((0, 0, width // 10, height), fill=(0, 160, 0))
    pen.ellipse((width // 2 - 60, height // 2 - 60, width // 2 + 60, height // 2 + 60), fill=(220, 40, 40))
    return image
