"""Pictures for members to post and to print: the invitation as a square and as a tall picture, and the QR code."""

from dataclasses import dataclass
from functools import lru_cache

from flask import Response
from flask_babel import gettext as _
from flask_login import current_user, login_required

from referralhub.branding.lettering import can_write
from referralhub.branding.shown import brand
from referralhub.dashboard.sharing import via
from referralhub.dashboard.views import bp, member_link, own_figures
from referralhub.extensions import limiter
from referralhub.landing.drawing import BLACK, WHITE, Canvas, Place
from referralhub.models import Channel
from referralhub.words import offers

DRAWN = "20 per minute; 200 per hour"  # as drawing takes a tenth of a second
KEPT = 32  # drawn pictures, of some 100 kB
SOFTER = 0.12  # the line that says what there is to get
PRINTED, BELOW = 1400, 140  # pixels of a QR code for print: 12 cm at 300 dots an inch
DOTS = 300
# By the member's own browser, for as long as one who changes the name may wait; another member has another cookie.
FOR_A_WHILE = {"Cache-Control": "private, max-age=600", "Vary": "Cookie"}


@dataclass(frozen=True)
class Shape:
    """Where everything stands on a picture, in pixels from the left and from above."""

    size: Place
    mark: Place  # its left upper corner
    mark_size: int
    brand: Place
    name: Place  # two lines follow it
    code: Place  # its middle
    code_size: int
    link: Place
    centred: bool


SQUARE = Shape((1080, 1080), (80, 64), 84, (192, 124), (80, 272), (770, 700), 450, (80, 1000), centred=False)
# Above and below, apps lay their own buttons over a story.
TALL = Shape((1080, 1920), (480, 230), 120, (540, 424), (540, 610), (540, 1190), 640, (540, 1620), centred=True)


@dataclass(frozen=True)
class Invitation:
    """What is written on a picture; `link` is to be read, and `scanned` is where the code leads."""

    name: str
    invites: str
    gift: str
    brand: str
    link: str
    scanned: str


@bp.get("/dashboard/picture/square.png")
@login_required
@limiter.limit(DRAWN)
def square_picture() -> Response:
    """Draw the invitation with the member's name and link, as a post."""
    return _picture(draw_invitation(SQUARE, _own_invitation(), brand.accent))


@bp.get("/dashboard/picture/tall.png")
@login_required
@limiter.limit(DRAWN)
def tall_picture() -> Response:
    """Draw the same as a story."""
    return _picture(draw_invitation(TALL, _own_invitation(), brand.accent))


@bp.get("/dashboard/qr.png")
@login_required
@limiter.limit(DRAWN)
def qr_picture() -> Response:
    """Draw the QR code for print, with the link below it."""
    return _picture(draw_code(_readable(own_link()), via(own_link(), Channel.QR)))


def own_link() -> str:
    """Return the absolute address that the member shares."""
    return member_link(current_user.profile.shown_code)


@lru_cache(KEPT)
def draw_invitation(shape: Shape, words: Invitation, accent: str) -> bytes:
    """Draw the invitation as a PNG."""
    canvas = Canvas.branded(shape.size, accent)
    anchor, room = ("ms" if shape.centred else "ls"), shape.size[0] - 160
    canvas.mark(shape.mark, shape.mark_size)
    canvas.write(shape.brand, words.brand, 52, canvas.ink, anchor, room=room - shape.mark_size, least=36)
    left, top = shape.name
    canvas.write((left, top), words.name, 104, canvas.ink, anchor, room=room, least=44)
    canvas.write((left, top + 86), words.invites, 68, canvas.ink, anchor, room=room, least=48)
    canvas.write((left, top + 154), words.gift, 44, canvas.soft(SOFTER), anchor, room=room, least=32)
    canvas.code(shape.code, words.scanned, shape.code_size)
    canvas.write(shape.link, words.link, 48, canvas.ink, anchor, room=room, least=28)
    return canvas.png()


@lru_cache(KEPT)
def draw_code(link: str, scanned: str) -> bytes:
    """Draw a QR code as a PNG, black on white."""
    canvas = Canvas((PRINTED, PRINTED + BELOW), WHITE, WHITE, BLACK)
    middle = PRINTED // 2
    canvas.code((middle, middle), scanned, PRINTED)
    canvas.write((middle, PRINTED + BELOW // 4), link, 72, BLACK, "mm", room=PRINTED - 160, least=36)
    return canvas.png(DOTS)


def _own_invitation() -> Invitation:
    stats, name = own_figures().statistics, current_user.display_name or current_user.username
    return Invitation(
        name=name if can_write(name) else _("A friend"),
        invites=_("invites you"),
        gift=offers.on_picture(stats.terms),
        brand=brand.name,
        link=_readable(own_link()),
        scanned=via(own_link(), Channel.QR),
    )


def _readable(link: str) -> str:
    """Return a link as people read it out."""
    return link.partition("://")[2].rstrip("/")


def _picture(drawn: bytes) -> Response:
    return Response(drawn, mimetype="image/png", headers=FOR_A_WHILE)
