"""A code of the member's own choice, in their link."""

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired

from referralhub.account.views import bp
from referralhub.clock import local_now
from referralhub.extensions import limiter
from referralhub.forms import no_control_characters, show_error, strip, text_of
from referralhub.services.links import own_codes
from referralhub.services.shared.errors import AlreadyDone, DomainError
from referralhub.urls import first_words


class OwnCodeForm(FlaskForm):
    """The code; the service says what is wrong with it."""

    code = StringField(_l("Your own code"), [InputRequired(_l("Enter a code.")), no_control_characters], [strip])


@bp.route("/account/code", methods=["GET", "POST"])
@login_required
@limiter.limit("30 per hour", methods=["POST"])
def choose_code() -> Response | tuple[str, int]:
    """Show the member's link and the codes by which it works, and let them choose one, once a month."""
    form = OwnCodeForm()
    if form.validate_on_submit():
        try:
            own_codes.choose(current_user.profile.id, text_of(form.code), first_words(), local_now())
        except AlreadyDone:
            return _back()
        except DomainError as error:
            show_error(error, form)
        else:
            return _back()
    found = own_codes.of_member(current_user.profile.id, local_now())
    return render_template("account/code.html", form=form, found=found), 422 if form.errors else 200


def _back() -> Response:
    flash(_("That is your link now. Those of before go on working."))
    return redirect(url_for("account.choose_code"), 303)
