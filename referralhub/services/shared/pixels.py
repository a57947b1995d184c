"""Pictures that people upload, decoded within bounds: what is made of one is its pixels, and nothing else of the file.

How large a picture is stands in the first bytes of a file, and is looked at before anything is decoded: a small file
can unfold to gigabytes. What came beside the pixels (where it was taken, with what, a smaller picture of before it was
cut, a whole other file at its end) is in no picture that is written here.
"""

import io
import struct
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from referralhub.services.shared.errors import BadSetting

if TYPE_CHECKING:
    from PIL.Image import Image


class Kind(StrEnum):
    """What kind of file it is, by its first bytes."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"


PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
SCAN = b"\xff\xda"  # where the next pass over a JPEG picture begins; what is hidden behind the picture may have some
MOST_SCANS = 60  # where a dozen are usual: one can be of 30 bytes, and is as much work as the whole picture


def kind_of(file: bytes) -> Kind | None:
    """Return what kind of picture a file is; None for every other file, whatever it is called."""
    if file.startswith(PNG):
        return Kind.PNG
    if file.startswith(JPEG):
        return Kind.JPEG
    return Kind.WEBP if file[:4] == b"RIFF" and file[8:12] == b"WEBP" else None


def decode(file: bytes, key: str, most: int, needed: int = 0) -> "Image":
    """Decode a picture of at most so many pixels. Raises BadSetting, for the setting `key`.

    Where only so many pixels a side are `needed`, it may be smaller than it was, but not by so much: of a large
    photograph most is not decoded then.
    """
    try:
        size = _size(file)
        if size and not 0 < size[0] * size[1] <= most:
            raise BadSetting(key, "picture_too_large", width=size[0], height=size[1], most=most // 1_000_000)
        image = _open(file) if size and not _is_endless(file) else None
        if image and image.size == size:
            if needed:
                image.draft(None, (needed, needed))  # as JPEG files alone know how to
            image.load()
            return image
    except BadSetting:
        raise
    except Exception:  # whatever a library falls over in a stranger's file, the file is at fault
        raise BadSetting(key, "picture_damaged") from None
    raise BadSetting(key, "picture_damaged")


def upright(image: "Image") -> "Image":
    """Turn a picture as the camera was held, which photographs say beside their pixels."""
    from PIL import Image  # noqa: PLC0415 - most processes never see a picture

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    try:
        turn = turns.get(image.getexif().get(0x0112, 1))
    except Exception:  # the picture is good, only what it says of itself is not
        return image
    return image if turn is None else image.transpose(turn)


def plain(image: "Image") -> "Image":
    """Return a picture in red, green and blue, and with what is transparent where anything is."""
    has_holes = image.has_transparency_data
    if image.mode.startswith("I"):  # 16 bits of grey, which would be cut off instead of scaled
        image = image.convert("I").point([grey >> 8 for grey in range(65536)], "L")
    return image.convert("RGBA" if has_holes else "RGB")


def written(image: "Image", kind: str, **how: object) -> bytes:
    """Write the pixels of a picture into a file of our own, and nothing else."""
    from PIL import Image  # noqa: PLC0415 - as above

    bare = Image.new(image.mode, image.size)  # since `image` still has the file's metadata
    bare.paste(image)
    out = io.BytesIO()
    bare.save(out, kind, **how)
    return out.getvalue()


def _open(file: bytes) -> "Image":
    """Open a file as what it is; `Image.open` would ask every format it knows, and decode a second picture of some."""
    from PIL.JpegImagePlugin import JpegImageFile  # noqa: PLC0415 - as above
    from PIL.PngImagePlugin import PngImageFile  # noqa: PLC0415 - as above
    from PIL.WebPImagePlugin import WebPImageFile  # noqa: PLC0415 - as above

    ways: dict[Kind, Callable[[io.BytesIO], Image]]
    ways = {Kind.PNG: PngImageFile, Kind.JPEG: JpegImageFile, Kind.WEBP: WebPImageFile}
    return ways[Kind(kind_of(file) or "")](io.BytesIO(file))


def _is_endless(file: bytes) -> bool:
    return kind_of(file) is Kind.JPEG and file.count(SCAN) > MOST_SCANS


def _size(file: bytes) -> tuple[int, int] | None:
    """Return how many pixels a picture has, from the first bytes of its file alone; None where they do not say so."""
    match kind_of(file):
        case Kind.PNG if file[12:16] == b"IHDR" and len(file) >= 24:
            width, height = struct.unpack_from(">II", file, 16)
            return width, height
        case Kind.JPEG:
            return _open(file).size  # which reads up to the picture, and decodes nothing
        case Kind.WEBP:
            return _size_of_webp(file)
    return None


def _size_of_webp(file: bytes) -> tuple[int, int] | None:
    """Read it as RFC 9649 says; the library would make room for the picture first."""
    if len(file) < 30:
        return None
    match file[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", file, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", file, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(file[24:27], "little") + 1, int.from_bytes(file[27:30], "little") + 1
    return None
