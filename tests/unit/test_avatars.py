"""Avatars: whatever is uploaded, what is kept is a small square picture and nothing else, or nothing at all."""

import io
import random
import time
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from referralhub.services.accounts import avatars
from referralhub.services.accounts.avatars import MOST, SIDE
from referralhub.services.shared.errors import BadSetting
from tests.pictures import (
    PNG,
    animation,
    bomb,
    chunk,
    decoded,
    encoded,
    endless_jpeg,
    face,
    header,
    jpeg_of_size,
    picture,
    webp_of_size,
)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(1)</script><path d="M0 0h9v9z"/></svg>'
ORIENTATION, PLACE = 0x0112, 0x8825


def refusal(file: bytes) -> str:
    with pytest.raises(BadSetting) as refused:
        avatars.clean(file)
    assert refused.value.key == "picture"
    return refused.value.code


def near(pixel: tuple[int, ...], colour: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(ours - theirs) <= by for ours, theirs in zip(pixel[:3], colour, strict=True))


def parts(file: bytes) -> list[bytes]:
    """Name the parts of a WebP file."""
    assert (file[:4], file[8:12]) == (b"RIFF", b"WEBP")
    assert int.from_bytes(file[4:8], "little") == len(file) - 8, "something hides behind the picture"
    found, place = [], 12
    while place < len(file):
        found.append(file[place : place + 4])
        length = int.from_bytes(file[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return found


@pytest.mark.parametrize(
    ("kind", "modes"),
    [
        ("PNG", ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("JPEG", ("L", "RGB", "CMYK", "YCbCr")),
        ("WEBP", ("RGB", "RGBA")),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (40, 20), (20, 300), (1, 5000), (1200, 900)], ids=str)
def test_every_kind_of_picture_becomes_a_square(kind: str, modes: tuple[str, ...], size: tuple[int, int]):
    for mode in modes:
        kept = avatars.clean(picture(kind, size, mode))
        image = decoded(kept)
        assert (image.format, image.size) == ("WEBP", (SIDE, SIDE)), mode
        assert len(kept) < 60_000


def test_the_middle_is_kept_and_its_colours():
    image = decoded(avatars.clean(encoded(face((900, 600)), "JPEG", quality=95))).convert("RGB")
    assert near(image.getpixel((128, 128)), (220, 40, 40), 30)
    assert near(image.getpixel((2, 128)), (120, 170, 200), 30)  # the green edge is beyond the square


@pytest.mark.parametrize(
    ("file", "colour"),
    [
        (picture("PNG", mode="I;16"), (128, 128, 128)),  # 16 bits are scaled, and not cut off to white
        (picture("PNG", mode="1"), (255, 255, 255)),
        (picture("JPEG", mode="CMYK"), (226, 34, 53)),
    ],
)
def test_unusual_colours_are_what_they_were(file: bytes, colour: tuple[int, int, int]):
    assert near(decoded(avatars.clean(file)).convert("RGB").getpixel((100, 100)), colour, 16)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_stays_so(kind: str):
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (20, 20, 40, 40))
    kept = decoded(avatars.clean(encoded(image, kind)))
    assert (kept.mode, kept.getpixel((3, 3))[3]) == ("RGBA", 0)
    assert near(kept.getpixel((128, 128)), (255, 0, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_is_turned_as_the_camera_was_held(kind: str, orientation: int):
    """The same scene, red above and blue at the left, as a camera writes it that was held in each of eight ways."""
    upright = Image.new("RGB", (80, 80), "white")
    upright.paste((255, 0, 0), (0, 0, 80, 30))
    upright.paste((0, 0, 255), (0, 30, 20, 80))
    back = {
        1: [], 2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM], 5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE], 8: [Image.Transpose.ROTATE_270],
    }  # fmt: skip
    held = upright
    for turn in back[orientation]:
        held = held.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 95} if kind != "PNG" else {}
    kept = decoded(avatars.clean(encoded(held, kind, exif=exif, **options))).convert("RGB")
    assert near(kept.getpixel((128, 20)), (255, 0, 0), 40)
    assert near(kept.getpixel((20, 200)), (0, 0, 255), 40)
    assert near(kept.getpixel((200, 200)), (255, 255, 255), 40)


def test_nothing_but_pixels_is_kept():
    exif = Image.Exif()
    exif[0x010E], exif[ORIENTATION] = "my garden", 6
    exif.get_ifd(PLACE).update({1: "N", 2: (52.0, 31.0, 12.0)})
    text = PngInfo()
    text.add_text("Author", "Mira of my garden")
    more = {"exif": exif, "icc_profile": b"my garden" * 20}
    photograph = encoded(face(), "JPEG", comment=b"my garden", **more)
    for file in (
        photograph, photograph + b"PK\x03\x04 my garden", encoded(face(), "PNG", pnginfo=text, **more),
        encoded(face(), "WEBP", xmp=b"<x>my garden</x>", **more),
    ):  # fmt: skip
        assert b"garden" in file
        kept = avatars.clean(file)
        assert set(parts(kept)) <= {b"VP8 ", b"VP8L"}
        assert b"garden" not in kept
        assert not decoded(kept).getexif()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_picture_is_taken_though_what_it_says_of_itself_is_damaged():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    file = encoded(face(), "JPEG", exif=exif)
    place = file.index(b"Exif\0\0") + 6
    assert decoded(avatars.clean(file[: place + 4] + b"\xff" * 12 + file[place + 16 :])).size == (SIDE, SIDE)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_kept(kind: str):
    kept = avatars.clean(animation(kind))
    assert set(parts(kept)) <= {b"VP8 ", b"VP8L"}
    assert near(decoded(kept).getpixel((100, 100)), (254, 0, 0))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "picture_empty"),
        (SVG, "picture_of_another_kind"),
        (animation("GIF"), "picture_of_another_kind"),
        (encoded(face(), "TIFF"), "picture_of_another_kind"),
        (encoded(face(), "BMP"), "picture_of_another_kind"),
        (b"hello", "picture_of_another_kind"),
        (bytes(MOST + 1), "picture_too_heavy"),
        (PNG + bytes(MOST), "picture_too_heavy"),
        (PNG, "picture_damaged"),
        (PNG + SVG, "picture_damaged"),
        (header(10, 10) + chunk(b"IEND", b""), "picture_damaged"),
        (header(10, 10) + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))), "picture_damaged"),
        (picture("PNG")[:60], "picture_damaged"),
        (encoded(face(), "JPEG")[:2000], "picture_damaged"),
        (encoded(face(), "WEBP")[:200], "picture_damaged"),
        (b"\xff\xd8\xff", "picture_damaged"),
        (b"\xff\xd8\xff" + SVG, "picture_damaged"),
        (b"RIFF\x08\0\0\0WEBP", "picture_damaged"),
        (webp_of_size(100, 100), "picture_damaged"),
        (bomb(30_000, 30_000), "picture_too_large"),
        (bomb(2**31 - 1, 2**31 - 1), "picture_too_large"),
        (bomb(4001, 4000), "picture_too_large"),
        (header(0, 5), "picture_too_large"),
        (jpeg_of_size(65_500, 65_500), "picture_too_large"),
        (jpeg_of_size(0, 10), "picture_damaged"),
        (webp_of_size(16_384, 16_384), "picture_too_large"),
        (webp_of_size(2**24, 2**24), "picture_too_large"),
        (endless_jpeg(4000, 60), "picture_damaged"),
    ],
)
def test_what_is_no_picture_or_a_bomb_is_refused_at_once(file: bytes, code: str):
    begun = time.monotonic()
    assert refusal(file) == code
    assert time.monotonic() - begun < 3


def test_nothing_is_decoded_that_says_to_be_too_large(monkeypatch: pytest.MonkeyPatch):
    def load(image: Image.Image) -> None:
        raise AssertionError(image.size)

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.__init__", load)
    for file in (bomb(30_000, 30_000), jpeg_of_size(65_500, 65_500), webp_of_size(16_384, 16_384)):
        assert refusal(file) == "picture_too_large"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_damaged_file_is_a_picture_or_refused_and_nothing_else(kind: str):
    chance = random.Random(kind)
    whole = encoded(face((90, 60)), kind)
    for _ in range(300):
        file = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            file[chance.randrange(len(file))] = chance.randrange(256)
        try:
            kept = avatars.clean(bytes(file[: chance.choice((len(file), chance.randrange(len(file))))]))
        except BadSetting as error:
            assert error.code.startswith("picture_")
        else:
            assert Image.open(io.BytesIO(kept)).size == (SIDE, SIDE)
