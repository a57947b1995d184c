"""The brand that an answer shows, the same one from its beginning to its end, and where its files are."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from flask import current_app, g, has_request_context, request, url_for
from markupsafe import Markup
from werkzeug.local import LocalProxy

from referralhub.branding import icons
from referralhub.models import LogoType
from referralhub.services.brand import in_force
from referralhub.services.brand.in_force import Branding, Mark
from referralhub.services.brand.palette import Palette, palette_of
from referralhub.static_files import digest

HEIGHT = 28  # pixels of the mark in the top bar
EXTENSIONS = {LogoType.SVG: "svg", LogoType.PNG: "png"}
TOUCH_ICON = "apple-touch-icon"  # which pages name themselves
OURS = "img/mark.svg"  # of who has no logo, in the colours of the default accent


class MarkFile(NamedTuple):
    """A mark as a page loads it."""

    url: str
    media_type: str
    width: int
    height: int = HEIGHT


def _brand() -> Branding:
    if not has_request_context():
        return in_force.brand()
    if "brand" not in g:
        g.brand = in_force.get()
    known: in_force.Known = g.brand
    return known.brand


brand: Branding = LocalProxy(_brand)  # type: ignore[assignment]  # it behaves like one


def show_last_known() -> None:
    """Let the answer at hand ask the database for no brand: it is why there is another answer."""
    g.setdefault("brand", in_force.last_known())


def is_of(version: bytes | None) -> bool:
    """Whether the answer at hand shows no brand, or one that was loaded under this version of everybody's figures."""
    return "brand" not in g or g.brand.version == version


def css_url() -> str:
    """Return the address of the brand's colours, which names their content."""
    return url_for("brand.colours", accent=brand.accent[1:], v=digest_of(css(brand.accent)))


def mark() -> MarkFile:
    """Return the brand's logo, or our mark in the brand's colours."""
    if brand.logo:
        return MarkFile(logo_url(brand.logo), brand.logo.media_type, _width(brand.logo))
    if not brand.has_own_colours:
        url = url_for("static", filename=OURS, v=digest(f"{current_app.static_folder}/{OURS}"))
    else:
        url = url_for("brand.mark", accent=brand.accent[1:], v=digest_of(mark_svg(brand.accent)))
    return MarkFile(url, LogoType.SVG, HEIGHT)


def support() -> Markup:
    """Return a link to the support address.

    Its @ is written as a reference: a bare one is taken for somebody's own, and masked wherever it is compressed.
    """
    link = Markup('<a href="mailto:{0}">{0}</a>').format(brand.support_email)
    return Markup(str(link).replace("@", "&#64;"))  # noqa: S704 - what was escaped stays so


def logo_url(logo: Mark) -> str:
    """Return the address of a logo, whose content never changes."""
    return url_for("brand.logo", digest=logo.digest, extension=EXTENSIONS[logo.media_type])


def icon_url(name: str) -> str:
    """Return the address of one of the icons of an installed site, which names what it is made of."""
    return _icon_url(request.script_root, name, icons_tag())


def icons_tag() -> str:
    """Return what names the icons as they are drawn now: what they are made of, and what draws them."""
    return _icons_tag(brand.name, brand.accent, brand.logo.digest if brand.logo else "")


def picture_tag() -> str:
    """Return what names the site's picture beside shared pages: networks keep pictures by their address."""
    return digest_of(f"{brand.name} {brand.accent} {brand.headline}")


def manifest_url() -> str:
    """Return the address of what tells a phone how to install the site, which names its content."""
    return f"{request.script_root}/manifest.webmanifest?v={digest_of(manifest())}"


def manifest() -> str:
    """Write what tells a phone how to install the site: its name, colours and icons (W3C, Web Application Manifest)."""
    return _manifest(request.script_root, brand.name, brand.accent, icons_tag())


# Every page names these, so that making each anew would be a good part of what a page takes.
def _icon_url(root: str, name: str, tag: str) -> str:
    return f"{root}/brand/{name}.png?v={tag}"


@lru_cache(64)
def _icons_tag(name: str, accent: str, logo: str) -> str:
    return digest_of(f"{digest(icons.__file__)} {accent} {icons.initial(name)} {logo}")


@lru_cache(64)
def _manifest(root: str, name: str, accent: str, tag: str) -> str:
    light, start = palette_of(accent).light, f"{root}/"
    drawn = [
        {
            "src": _icon_url(root, each, tag),
            "sizes": f"{icon.size}x{icon.size}",
            "type": "image/png",
            "purpose": "maskable" if icon.fills else "any",
        }
        for each, icon in icons.ICONS.items()
        if each != TOUCH_ICON
    ]
    names = {"id": start, "name": name, "short_name": name, "start_url": start, "scope": start}
    looks = {"display": "standalone", "background_color": light["page"], "theme_color": light["surface"]}
    return json.dumps(names | looks | {"icons": drawn}, ensure_ascii=False)


@lru_cache(64)
def css(accent: str, selector: str = ":root") -> str:
    """Write the style sheet of an accent."""
    return stylesheet(palette_of(accent), selector)


@lru_cache(64)
def mark_svg(accent: str) -> str:
    """Draw our mark in the colours of an accent."""
    palette = palette_of(accent)
    text = (Path(__file__).parent.parent / "static" / OURS).read_text(encoding="utf-8")
    for old, new in (("#9333ea", palette.start), ("#2563eb", palette.end), ("#fff", palette.on_fill)):
        text = text.replace(f'"{old}"', f'"{new}"')
    return text


@lru_cache(256)
def digest_of(text: str) -> str:
    """Return what names a content in an address."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _width(logo: Mark) -> int:
    return max(1, round(HEIGHT * logo.width / logo.height))


def stylesheet(palette: Palette, selector: str = ":root") -> str:
    """Write the tokens, to be loaded after the site's own style sheet, for what matches the selector."""
    lines = [f"--{name}: light-dark({palette.light[name]}, {palette.dark[name]});" for name in palette.light]
    lines += [f"--{name}: {value};" for name, value in palette.both.items()]
    body = "\n    ".join(lines)
    return f"@layer tokens {{\n  {selector} {{\n    {body}\n  }}\n}}\n"
