"""A member's data: taking it along, and having it deleted."""

from flask import Response as FlaskResponse
from flask import current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import own_password_field, show_error, text_of
from referralhub.response_headers import forget_member
from referralhub.services.accounts import credentials, erasure, exports
from referralhub.services.links import live_codes, own_codes, visits
from referralhub.services.shared.errors import DomainError
from referralhub.sessions import contents
from referralhub.sessions.interface import renew
from referralhub.words.referrals import FORMER_MEMBER


class DeletionForm(FlaskForm):
    """The member's own password, since there is no way back."""

    password = own_password_field()


@bp.get("/account/data")
@login_required
def show_data() -> str:
    """Offer the download and the deletion."""
    return render_template("account/data.html", form=DeletionForm())


@bp.get("/account/export")
@login_required
@limiter.limit("10 per hour")
def export() -> FlaskResponse:
    """Return everything that is held about the member, as JSON and as tables."""
    visits.book(current_app.extensions["redis"], current_user.profile.code, now())
    name = f"referralhub-{now():%Y-%m-%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return FlaskResponse(exports.archive(current_user, now()), mimetype="application/zip", headers=headers)


@bp.post("/account/delete")
@login_required
@limiter.limit("10 per hour")
def delete() -> Response | tuple[str, int]:
    """Delete the account, after the password."""
    form = DeletionForm()
    if form.validate_on_submit():
        try:
            credentials.check_password(current_user, text_of(form.password))
        except DomainError as error:
            show_error(error, form)
        else:
            codes = own_codes.every(current_user.profile.id)
            erasure.erase(current_user.id, FORMER_MEMBER, now())
            live_codes.unlearn(current_app.extensions["redis"], codes)
            logout_user()
            renew()
            forget_member()
            contents.clear_but_members()
            flash(_("Your account is deleted. Thank you for having been here."))
            return redirect(url_for("landing.home"), 303)
    return render_template("account/data.html", form=form), 422
