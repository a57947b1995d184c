"""How a member appears to others."""

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, Length

from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.forms import (
    line_for_strangers,
    no_control_characters,
    show_error,
    strip,
    text_of,
    username_field,
    visible_name,
)
from referralhub.services.accounts import avatars, profile
from referralhub.services.accounts.profile import LONGEST_GREETING
from referralhub.services.shared.errors import BadSetting, Taken


class PublicProfileForm(FlaskForm):
    """What others see of a member."""

    username = username_field()
    display_name = StringField(
        _l("Display name"),
        [Length(max=40, message=_l("Use at most 40 characters.")), no_control_characters, visible_name],
        filters=[strip],
    )
    greeting = StringField(
        _l("Your greeting to friends"),
        [
            Length(max=LONGEST_GREETING, message=_l("Use at most %(most)s characters.", most=LONGEST_GREETING)),
            no_control_characters,
            line_for_strangers,
        ],
        filters=[strip],
    )
    listed = BooleanField(_l("Show me on the leaderboard"))

    @classmethod
    def of_member(cls, **of_what: Any) -> "PublicProfileForm":
        """Make the form with what others see of the member now; a field that is not shown stays as it is."""
        shown = current_user.profile
        return cls(
            username=current_user.username,
            display_name=current_user.display_name,
            greeting=shown.greeting,
            listed=shown.listed,
            **of_what,
        )


class AvatarForm(FlaskForm):
    """A file to be the member's picture."""

    picture = FileField(_l("Picture"), [InputRequired(_l("Choose a file."))])

    def avatar(self) -> bytes | None:
        """Return the avatar that the file makes; None where the field says what is wrong with it."""
        if not self.validate_on_submit():
            return None
        try:
            return avatars.clean(self.picture.data.read(avatars.MOST + 1) if self.picture.data else b"")
        except BadSetting as error:
            show_error(error, self)
            return None


@bp.route("/account/profile", methods=["GET", "POST"])
@login_required
def public_profile() -> Response | tuple[str, int]:
    """Choose the names, what friends read, and whether the leaderboard shows the member."""
    form = PublicProfileForm.of_member()
    if form.validate_on_submit():
        names = text_of(form.username), text_of(form.display_name)
        try:
            profile.set_public_profile(current_user.id, *names, form.listed.data, text_of(form.greeting), now())
        except Taken as error:
            show_error(error, form)
        else:
            flash(_("Saved. That is how others see you now."))
            return redirect(url_for("account.public_profile"), 303)
    return show(form)


def show(form: PublicProfileForm | None = None, avatar_form: AvatarForm | None = None) -> tuple[str, int]:
    """Show the page, with the form that was sent and what is wrong with it."""
    wrong = any(each is not None and each.errors for each in (form, avatar_form))
    page = render_template(
        "account/profile.html",
        form=form or PublicProfileForm.of_member(formdata=None),
        avatar_form=avatar_form or AvatarForm(formdata=None),
        most=avatars.MOST // 1024 // 1024,
    )
    return page, 422 if wrong else 200
