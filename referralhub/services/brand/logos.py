"""Logos: an uploaded file becomes a picture that we wrote ourselves, so that nothing but the picture is left of it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from referralhub.models import LogoType
from referralhub.services.brand import png, svg
from referralhub.services.shared.errors import BadSetting

MOST = 200 * 1024  # bytes, as it comes and as it is kept


@dataclass(frozen=True)
class Picture:
    """A logo as it is kept. `removed` names what the file had besides: elements and attributes that do not draw."""

    content: bytes
    media_type: LogoType
    width: int
    height: int
    removed: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """What names it: the SHA-256 of its content."""
        return hashlib.sha256(self.content).hexdigest()


def clean(file: bytes) -> Picture:
    """Make a picture of what was uploaded, an SVG or PNG file by its content. Raises BadSetting."""
    if not file:
        raise BadSetting("logo", "logo_empty")
    if len(file) > MOST:
        raise BadSetting("logo", "logo_too_heavy", most=MOST // 1024)
    if file.startswith(png.SIGNATURE):
        content, width, height = png.clean(file)
        picture = Picture(content, LogoType.PNG, width, height)
    else:
        content, width, height, removed = svg.clean(file)
        picture = Picture(content, LogoType.SVG, width, height, removed)
    if len(picture.content) > MOST:
        raise BadSetting("logo", "logo_too_heavy", most=MOST // 1024)
    return picture
