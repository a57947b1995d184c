"""A new password instead of a forgotten one."""

from flask import flash, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from referralhub.auth.forms import ForgotForm, ResetForm
from referralhub.auth.views import FORM_LIMIT, bp, enter
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import show_error, text_of
from referralhub.models import TokenPurpose
from referralhub.services.accounts import credentials, tokens
from referralhub.services.shared.errors import BadLink, DomainError
from referralhub.words.errors import say


@bp.route("/password/forgot", methods=["GET", "POST"])
@limiter.limit("5 per minute; 20 per hour", methods=["POST"])
def forgot_password() -> Response | tuple[str, int]:
    """Mail a link with which a new password is set; the answer does not say whether there is such an account."""
    form = ForgotForm()
    if form.validate_on_submit():
        credentials.ask_for_reset(text_of(form.email), now())
        return render_template("auth/forgot.html", form=None), 200
    return render_template("auth/forgot.html", form=form), 422 if form.errors else 200


@bp.get("/password/reset/<token>")
def reset_password(token: str) -> str | tuple[str, int]:
    """Ask for the new password."""
    try:
        tokens.find(TokenPurpose.RESET_PASSWORD, token, now())
    except BadLink as error:
        return render_template("auth/reset.html", form=None, problem=say(error)), 400
    return render_template("auth/reset.html", form=ResetForm(), token=token)


@bp.post("/password/reset/<token>")
@limiter.limit(FORM_LIMIT)
def set_new_password(token: str) -> Response | tuple[str, int]:
    """Set it, sign the member out everywhere, and in here."""
    form = ResetForm()
    if form.validate_on_submit():
        try:
            user = credentials.reset_password(token, text_of(form.password), now())
        except BadLink as error:
            return render_template("auth/reset.html", form=None, problem=say(error)), 400
        except DomainError as error:
            show_error(error, form)
        else:
            flash(_("Your new password is set, and you are signed out everywhere else."))
            return enter(user, url_for("dashboard.home"))
    return render_template("auth/reset.html", form=form, token=token), 422
