"""The words with which a member shares the link: read as they would be shared, kept, and put back."""

from unicodedata import category

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse
from wtforms import Field, TextAreaField
from wtforms.validators import Length, ValidationError

from referralhub import htmx
from referralhub.branding.shown import brand
from referralhub.clock import now
from referralhub.dashboard.sharing import share_links, shared_letter
from referralhub.dashboard.views import bp, link_card, member_link, own_figures, page
from referralhub.extensions import limiter
from referralhub.forms import strip, text_of
from referralhub.services.accounts import profile
from referralhub.services.ledger import leaderboard
from referralhub.services.ledger.ranking import Period

LONGEST = 280  # as many as a post on X can have
NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}  # categories of what no keyboard types
TURNING = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}  # which would turn the link around


def _one_sign_a_line(value: str | None) -> str | None:
    """Let a line end as it does everywhere but in forms."""
    return value and value.replace("\r\n", "\n").replace("\r", "\n")


def _plain_text(form: FlaskForm, field: Field) -> None:
    if any(each != "\n" and (category(each) in NO_TEXT or each in TURNING) for each in text_of(field)):
        raise ValidationError(_("This contains an invisible control character. Please type it instead of pasting."))


class ShareTextForm(FlaskForm):
    """What to say before the link."""

    text = TextAreaField(
        _l("Your message"),
        [Length(max=LONGEST, message=_l("Use at most %(most)s characters.", most=LONGEST)), _plain_text],
        [_one_sign_a_line, strip],
    )


@bp.post("/dashboard/share-text")
@login_required
@limiter.limit("60 per hour")
def change_share_text() -> BaseResponse:
    """Keep the text, or go back to the one that everybody has."""
    form, found = ShareTextForm(), own_figures()
    if "ours" not in request.form and not form.validate_on_submit():
        return _shown(form=form)
    text = "" if "ours" in request.form else text_of(form.text)
    if text == shared_letter(found.statistics, brand)[1]:
        text = ""  # so that it follows the operator's words, and the language
    profile.set_share_text(current_user.profile.id, text)
    if htmx.wants_fragment():
        return make_response(render_template("dashboard/_link_card.html", **link_card(found, text), saved=True))
    flash(_("Saved. Every button shares this now."))
    return redirect(url_for("dashboard.home", _anchor="link-card"), 303)


@bp.post("/dashboard/share-text/preview")
@login_required
@limiter.limit("120 per minute")
def preview_share_text() -> Response:
    """Show how a text reads while it is typed."""
    form, found = ShareTextForm(), own_figures()
    if not form.validate_on_submit():
        return Response(status=204)  # it is said when it is sent
    link = member_link(current_user.profile.shown_code)
    shares = share_links(link, found.statistics, brand, text_of(form.text))
    return make_response(render_template("dashboard/_share_preview.html", shares=shares))


def _shown(**context: object) -> Response:
    """Show the form again, with what is wrong with it."""
    found = own_figures()
    if htmx.wants_fragment():
        answer = make_response(render_template("dashboard/_link_card.html", **link_card(found), **context))
    else:
        redis, at = current_app.extensions["redis"], now()
        board = leaderboard.read(redis, Period.MONTH, at, current_user.profile.id, limit=5)
        answer = make_response(page(found, board, **context))
    answer.status_code = 422
    return answer
