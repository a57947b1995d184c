"""How a member appears to others."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import Length

from referralhub.account.views import bp
from referralhub.forms import no_control_characters, show_error, strip, text_of, username_field, visible_name
from referralhub.services.accounts import profile
from referralhub.services.shared.errors import Taken


class PublicProfileForm(FlaskForm):
    """What others see of a member."""

    username = username_field()
    display_name = StringField(
        _l("Display name"),
        [Length(max=40, message=_l("Use at most 40 characters.")), no_control_characters, visible_name],
        filters=[strip],
    )
    listed = BooleanField(_l("Show me on the leaderboard"))


@bp.route("/account/profile", methods=["GET", "POST"])
@login_required
def public_profile() -> Response | tuple[str, int]:
    """Choose the names, and whether the leaderboard shows them."""
    form = PublicProfileForm(
        username=current_user.username,
        display_name=current_user.display_name,
        listed=current_user.profile.listed,
    )
    if form.validate_on_submit():
        try:
            profile.set_public_profile(
                current_user.id, text_of(form.username), text_of(form.display_name), form.listed.data
            )
        except Taken as error:
            show_error(error, form)
        else:
            flash(_("Saved. That is how others see you now."))
            return redirect(url_for("account.public_profile"), 303)
    return render_template("account/profile.html", form=form), 422 if form.errors else 200
