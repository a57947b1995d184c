"""Logos: whatever is uploaded, what is kept is a picture and nothing else, or nothing at all."""

import io
import re
import struct
import time
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from referralhub.models import LogoType
from referralhub.services.brand import logos, png
from referralhub.services.brand.logos import MOST, Picture
from referralhub.services.shared.errors import BadSetting

PATH = '<path d="M0 0h10v10z" fill="#e5342b"/>'


def svg(inside: str = PATH, attributes: str = 'viewBox="0 0 20 10"', before: str = "") -> bytes:
    root = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>'
    return f"{before}{root}{inside}</svg>".encode()


def png_file(size: tuple[int, int] = (40, 20), mode: str = "RGBA", **options: object) -> bytes:
    out = io.BytesIO()
    colour = {"RGBA": (229, 52, 43, 255), "RGB": (229, 52, 43), "P": 3, "L": 80, "I;16": 4000}[mode]
    Image.new(mode, size, colour).save(out, "PNG", **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chunks(file: bytes) -> list[str]:
    """Name the parts of a PNG file, up to its end."""
    found, place = [""], len(png.SIGNATURE)
    while found[-1] != "IEND":
        (length,) = struct.unpack(">I", file[place : place + 4])
        found.append(file[place + 4 : place + 8].decode())
        place += length + 12
    return found[1:]


def header(width: int, height: int) -> bytes:
    return png.SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))


def refusal(file: bytes) -> str:
    with pytest.raises(BadSetting) as refused:
        logos.clean(file)
    assert refused.value.key == "logo"
    return refused.value.code


def text_of(picture: Picture) -> str:
    assert picture.media_type is LogoType.SVG
    return picture.content.decode()


class TestSvg:
    def test_what_draws_is_kept(self):
        picture = logos.clean(
            svg(
                '<defs><linearGradient id="a" x1="0" y1="1"><stop offset="0" style="stop-color: #f00; top: 1px"/>'
                '<stop offset="1" stop-color="blue"/></linearGradient></defs><g transform="translate(1,2) rotate(-4)">'
                '<path id="p" d="M0 0h1e-3z" fill="url(#a)"/><circle r="2"/></g><use xlink:href="#p" opacity=".5"/>'
            )
        )
        assert (picture.width / picture.height, picture.removed) == (2, ())
        assert text_of(picture) == (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><defs><linearGradient id="a" x1="0" y1="1">'
            '<stop offset="0" stop-color="#f00"/><stop offset="1" stop-color="blue"/></linearGradient></defs>'
            '<g transform="translate(1,2) rotate(-4)"><path id="p" d="M0 0h1e-3z" fill="url(#a)"/><circle r="2"/></g>'
            '<use href="#p" opacity=".5"/></svg>'
        )

    def test_what_was_cleaned_is_clean(self):
        once = logos.clean(svg())
        assert logos.clean(once.content) == once

    def test_where_it_was_made_is_left_out(self):
        picture = logos.clean(
            svg(
                "<title>draft for Jo</title><desc>by Jo</desc><metadata><x>Jo</x></metadata><!-- Jo -->"
                f'<sodipodi:namedview xmlns:sodipodi="http://jo.example" inkscape="/home/jo"/>{PATH}'
                '<g data-name="Jo" aria-label="Jo" xmlns:i="http://jo.example" i:export="/home/jo">'
                f"{PATH}</g>",
                before='<?xml version="1.0"?><?jo Jo?><!DOCTYPE svg PUBLIC "-//Jo" "http://jo.example/svg.dtd">',
            )
        )
        assert "jo" not in text_of(picture).lower()

    @pytest.mark.parametrize(
        ("inside", "attributes", "removed"),
        [
            ("<script>alert(1)</script>", "", "<script>"),
            ('<script href="//x.example"/>', "", "<script>"),
            ("", 'onload="alert(1)"', "onload"),
            ('<a href="javascript:alert(1)"><path d="M0 0"/></a>', "", "<a>"),
            ('<g onclick="alert(1)"/>', "", "onclick"),
            ('<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>', "", "<foreignObject>"),
            ('<image href="http://x.example/spy.png"/>', "", "<image>"),
            ('<image href="data:image/svg+xml,x"/>', "", "<image>"),
            ('<use href="http://x.example/#a"/>', "", "href"),
            ('<use xlink:href="data:x,#a"/>', "", "href"),
            ('<path fill="url(http://x.example/#a)"/>', "", "fill"),
            ('<path fill="url(//x.example#a)"/>', "", "fill"),
            ('<path filter="url(#f)"/><filter id="f"><feImage href="http://x.example"/></filter>', "", "<filter>"),
            ('<animate attributeName="href" to="javascript:x"/>', "", "<animate>"),
            ('<set attributeName="onload" to="x"/>', "", "<set>"),
            ('<path d="M0 0&quot;&gt;&lt;script&gt;"/>', "", "d"),
            ('<text font-family="x">hello</text>', "", "<text>"),
            ('<path id="a b"/>', "", "id"),
            ("", 'xml:base="http://x.example/"', ""),
            ('<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>', "", ""),
        ],
    )
    def test_what_could_run_or_load_is_taken_out_and_named(self, inside: str, attributes: str, removed: str):
        picture = logos.clean(svg(inside + PATH, f'viewBox="0 0 9 9" {attributes}'))
        assert removed in {*picture.removed, ""}
        left = text_of(picture).replace('xmlns="http://www.w3.org/2000/svg"', "").lower()
        assert not re.search(r"script|alert|//|data:|\son|x\.example|foreign|image|animate|<set|<a\b", left)
        assert PATH.lower() in left

    def test_a_style_attribute_gives_only_what_is_harmless(self):
        style = "fill:#fff;background:url(http://x.example);behavior:url(x);stroke:url(javascript:x);opacity:.5"
        picture = logos.clean(svg(f'<path d="M0 0" style="{style}"/>'))
        assert '<path d="M0 0" fill="#fff" opacity=".5"/>' in text_of(picture)

    @pytest.mark.parametrize(
        ("file", "code"),
        [
            (svg(before='<!DOCTYPE svg [<!ENTITY a "b">]>'), "logo_with_entities"),
            (svg(before='<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), "logo_with_entities"),
            (svg(before='<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://x.example">%a;]>'), "logo_with_entities"),
            (svg("<style>path { fill: url(http://x.example) }</style>" + PATH), "logo_with_style_sheet"),
            (svg(attributes=""), "logo_without_size"),
            (svg(attributes='viewBox="0 0 0 10"'), "logo_without_size"),
            (svg(attributes='viewBox="0 0 1e999 10"'), "logo_without_size"),
            (svg(attributes='viewBox="0 0 nan 10"'), "logo_without_size"),
            (svg(attributes='width="100%" height="100%"'), "logo_without_size"),
            (svg(""), "logo_draws_nothing"),
            (svg('<image href="data:image/png,x"/>'), "logo_draws_nothing"),
            (svg("<g>" * 60 + PATH + "</g>" * 60), "logo_too_intricate"),
            (svg("<g>" * 20_000 + "</g>" * 20_000), "logo_of_another_kind"),
            (svg(PATH + "<path/>" * 20_001), "logo_too_intricate"),
            (svg('<g id="a"><use href="#a"/></g>'), "logo_too_intricate"),
            (svg('<mask id="a"><g mask="url(#b)"/></mask><g id="b" mask="url(#a)"/>' + PATH), "logo_too_intricate"),
            (svg()[:-6], "logo_of_another_kind"),
            (svg() + b"<script>alert(1)</script>", "logo_of_another_kind"),
            (b"<svg>" + PATH.encode() + b"</svg>", "logo_of_another_kind"),
            (b"<html><body>hello</body></html>", "logo_of_another_kind"),
            (svg().decode().encode("utf-16"), "logo_of_another_kind"),
            (b"GIF89a" + bytes(20), "logo_of_another_kind"),
            (b"%PDF-1.4\n" + svg(), "logo_of_another_kind"),
            (b"\xff\xd8\xff\xe0" + bytes(20), "logo_of_another_kind"),
            (b"", "logo_empty"),
            (svg(PATH + " " * MOST), "logo_too_heavy"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_cleaned_is_refused(self, file: bytes, code: str):
        begun = time.monotonic()
        assert refusal(file) == code
        assert time.monotonic() - begun < 5

    def test_references_that_multiply_are_refused(self):
        steps = "".join(f'<g id="g{n + 1}">{f"""<use href="#g{n}"/>""" * 10}</g>' for n in range(9))
        assert refusal(svg(f'<g id="g0">{PATH}</g>{steps}<use href="#g9"/>')) == "logo_too_intricate"

    def test_references_that_do_not_are_not(self):
        text = text_of(logos.clean(svg(f'<g id="a">{PATH}</g>' + '<use href="#a" x="3"/>' * 50)))
        assert text.count("<use") == 50


class TestPng:
    @pytest.mark.parametrize("mode", ["RGBA", "RGB", "P", "L", "I;16"])
    def test_it_is_decoded_and_written_anew(self, mode: str):
        picture = logos.clean(png_file(mode=mode))
        assert (picture.media_type, picture.width, picture.height) == (LogoType.PNG, 40, 20)
        with Image.open(io.BytesIO(picture.content)) as image:
            assert (image.format, image.size, image.mode) == ("PNG", (40, 20), "RGBA")

    def test_nothing_is_left_but_the_picture(self):
        notes = PngInfo()
        notes.add_text("Author", "Jo of x.example")
        notes.add_itxt("Comment", "made at Jo's", zip=True)
        exif = Image.Exif()
        exif[0x010E] = "Jo was here"
        icc = b"Jo's screen" + bytes(200)
        file = png_file(pnginfo=notes, exif=exif, dpi=(300, 300), icc_profile=icc)
        file += b"<script>alert(1)</script>PK\x03\x04 and an archive"
        kept = logos.clean(file).content
        assert set(chunks(file)) > {"eXIf", "pHYs", "iCCP", "tEXt", "iTXt"}
        assert set(chunks(kept)) == {"IHDR", "IDAT", "IEND"}
        assert kept.endswith(chunk(b"IEND", b""))

    def test_a_large_picture_is_made_smaller(self):
        picture = logos.clean(png_file((2000, 500)))
        assert (picture.width, picture.height) == (640, 160)

    @pytest.mark.parametrize(
        ("file", "code"),
        [
            (header(30_000, 30_000) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""),
             "picture_too_large"),
            (header(2**31 - 1, 2**31 - 1), "picture_too_large"),
            (header(0, 5), "picture_too_large"),
            (header(10, 10) + chunk(b"IEND", b""), "picture_damaged"),
            (header(10, 10) + chunk(b"IDAT", b"nonsense") + chunk(b"IEND", b""), "picture_damaged"),
            (png_file()[:60], "picture_damaged"),
            (png.SIGNATURE, "picture_damaged"),
            (png.SIGNATURE + svg(), "picture_damaged"),
            (header(10, 10) + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))), "picture_damaged"),
            (png.SIGNATURE + bytes(MOST), "logo_too_heavy"),
        ],
    )  # fmt: skip
    def test_what_is_no_picture_or_a_bomb_is_refused(self, file: bytes, code: str):
        begun = time.monotonic()
        assert refusal(file) == code
        assert time.monotonic() - begun < 5

    def test_of_an_animation_the_first_picture_is_kept(self):
        frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
        out = io.BytesIO()
        frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
        kept = logos.clean(out.getvalue()).content
        assert b"acTL" not in kept
        with Image.open(io.BytesIO(kept)) as image:
            assert image.getpixel((5, 5)) == (255, 0, 0, 255)
