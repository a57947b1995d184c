"""Who brought a member: what is known of it, and a code that is entered later."""

from flask import current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField
from wtforms.validators import InputRequired

from referralhub.account.views import bp
from referralhub.browsers import request_origin
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import code_shape, pasted_code, show_error, text_of
from referralhub.services.recourse import answers, late_codes
from referralhub.services.shared.errors import AlreadyDone, DomainError
from referralhub.sessions import contents
from referralhub.words.referrals import member_name

FORM_LIMIT = "10 per minute; 60 per hour"  # codes can be guessed


class LateCodeForm(FlaskForm):
    """The code of the member who brought this one."""

    referral_code = StringField(_l("Their code"), [InputRequired(_l("Enter a code.")), code_shape], [pasted_code])


@bp.route("/account/referrer", methods=["GET", "POST"])
@login_required
@limiter.limit(FORM_LIMIT, methods=["POST"])
def referrer() -> Response | tuple[str, int]:
    """Say who brought the member, or take the code of whoever did."""
    form = LateCodeForm()
    if form.validate_on_submit():
        try:
            found = late_codes.enter(
                current_user.profile.id,
                text_of(form.referral_code),
                request_origin(),
                now(),
                members=contents.members(),
                verification_required=current_app.config["SETTINGS"].require_email_verification,
            )
        except AlreadyDone:
            return redirect(url_for("account.referrer"), 303)
        except DomainError as error:
            show_error(error, form)
        else:
            flash(_("Thank you. It is noted that %(name)s invited you.", name=member_name(found.name)))
            return redirect(url_for("account.referrer"), 303)
    known = late_codes.page_of(current_user.profile, now())
    claims = answers.answered_by(current_user.profile.id)
    page = render_template("account/referrer.html", form=form, known=known, claims=claims)
    return page, 422 if form.errors else 200
