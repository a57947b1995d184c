"""A member's picture: putting it up, taking it down, and giving it to whoever sees the page that it is on."""

from flask import Response as FlaskResponse
from flask import abort, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from referralhub.account.profile import AvatarForm, show
from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.response_headers import PICTURE
from referralhub.services.accounts import avatars
from referralhub.uploads import takes

ROOM = 2 * avatars.MOST  # so that who sends a little too much is told so at the field
# For good, as the address names the content, but by the one who sees it alone: what was taken down is in no cache
# that gives it to others.
HEADERS = PICTURE | {"Cache-Control": "private, max-age=31536000, immutable"}


@bp.post("/account/picture")
@login_required
@limiter.limit("30 per hour")
@takes(ROOM)
def put_up_picture() -> Response | tuple[str, int]:
    """Show the member by this picture from now on."""
    form = AvatarForm()
    avatar = form.avatar()
    if avatar is None:
        return show(avatar_form=form)
    avatars.put_up(current_user.id, avatar, now())
    flash(_("Saved. That is your picture now."))
    return redirect(url_for("account.public_profile"), 303)


@bp.post("/account/picture/remove")
@login_required
@takes(ROOM)  # with what was chosen beside the button
def take_down_picture() -> Response:
    """Show the member without a picture again."""
    avatars.take_down(current_user.id)
    flash(_("Your picture is gone."))
    return redirect(url_for("account.public_profile"), 303)


@bp.get("/brand/avatar/<hex(length=64):digest>.webp")
@limiter.exempt
def avatar(digest: str) -> FlaskResponse:
    """Give the picture that somebody has at present."""
    content = avatars.find(digest)
    if content is None:
        abort(404)
    response = FlaskResponse(content, mimetype="image/webp", headers=HEADERS)
    response.set_etag(digest)
    response.make_conditional(request)
    return response
