"""How a member appears to others."""

from flask import flash, redirect, render_template, url_for
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import Length

from referralhub.auth.forms import no_control_characters, strip
from referralhub.dashboard.views import bp
from referralhub.services import accounts


class PublicProfileForm(FlaskForm):
    """What others see of a member."""

    display_name = StringField(
        "Display name", [Length(max=40, message="Use at most 40 characters."), no_control_characters], filters=[strip]
    )
    listed = BooleanField("Show me on the leaderboard")


@bp.route("/account/profile", methods=["GET", "POST"])
@login_required
def public_profile() -> Response | tuple[str, int]:
    """Choose the name that others see, and whether the leaderboard shows it."""
    form = PublicProfileForm(display_name=current_user.display_name, listed=current_user.profile.listed)
    if form.validate_on_submit():
        accounts.set_public_profile(current_user.id, form.display_name.data or "", form.listed.data)
        flash("Saved. That is how others see you now.")
        return redirect(url_for("dashboard.public_profile"), 303)
    return render_template("dashboard/profile.html", form=form), 422 if form.errors else 200
