"""The brand's files: its colours, its mark and its logo, under addresses that name their content."""

from flask import Blueprint, Response, abort, request

from referralhub.branding import icons, shown
from referralhub.extensions import limiter
from referralhub.models import LogoType
from referralhub.response_headers import FOR_EVERYBODY, PICTURE
from referralhub.services.brand import versions
from referralhub.static_files import FOREVER, SHORT

OF_LOGO = FOR_EVERYBODY | PICTURE | {"Cache-Control": FOREVER}  # mail shows it, too

bp = Blueprint("brand", __name__, url_prefix="/brand")
limiter.exempt(bp)


@bp.get("/<hex(length=6):accent>.css")
def colours(accent: str) -> Response:
    """Give the colours that follow from an accent."""
    return _file(shown.css(f"#{accent}"), "text/css")


@bp.get("/<hex(length=6):accent>/sample.css")
def sample_colours(accent: str) -> Response:
    """Give the same for a part of a page: the preview of a brand that is not in force."""
    return _file(shown.css(f"#{accent}", f".sample-{accent}"), "text/css")


@bp.get("/<hex(length=6):accent>.svg")
def mark(accent: str) -> Response:
    """Give our mark in the colours of an accent."""
    return _file(shown.mark_svg(f"#{accent}"), "image/svg+xml")


@bp.get("/logo/<hex(length=64):digest>.<extension>")
def logo(digest: str, extension: str) -> Response:
    """Give a logo that is or was in force."""
    found = versions.logo_of(digest)
    if found is None or shown.EXTENSIONS[found.media_type] != extension:
        abort(404)
    response = Response(found.content, mimetype=found.media_type, headers=OF_LOGO)
    response.set_etag(digest)
    response.make_conditional(request)
    return response


@bp.get("/<icon>.png")
def icon(icon: str) -> Response:
    """Draw one of the icons by which a phone or a desktop shows an installed site."""
    if icon not in icons.ICONS:
        abort(404)
    brand = shown.brand
    logo = brand.logo if brand.logo and brand.logo.media_type is LogoType.PNG else None
    kept = versions.logo_of(logo.digest) if logo else None
    letter = icons.initial(brand.name) if brand.logo and not kept else ""
    drawn = icons.draw(icon, brand.accent, letter, kept.content if kept else None)
    return file_named_by(shown.icons_tag(), drawn, "image/png")


def _file(text: str, mimetype: str) -> Response:
    return file_named_by(shown.digest_of(text), text, mimetype)


def file_named_by(tag: str, content: str | bytes, mimetype: str) -> Response:
    """Answer with a file that is kept for good under the address that names its content, else for a minute."""
    response = Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = FOREVER if request.args.get("v") == tag else f"public, max-age={SHORT}"
    response.set_etag(tag)
    response.make_conditional(request)
    return response
