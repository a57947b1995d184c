"""How a member signs in: address, password, and where they are signed in."""

from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from referralhub import outcome
from referralhub.account.views import bp
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import email_field, new_password_fields, own_password_field, show_error, text_of
from referralhub.services.accounts import credentials, sign_ins
from referralhub.services.accounts.passwords import LONGEST
from referralhub.services.shared.errors import DomainError
from referralhub.urls import local_path
from referralhub.words.errors import say

FORM_LIMIT = "10 per minute; 60 per hour"  # each asks for a password


class AddressForm(FlaskForm):
    """Another mail address."""

    email = email_field(_l("New e-mail"))
    password = own_password_field()


class ConfirmForm(FlaskForm):
    """The password once more."""

    password = own_password_field()


class PasswordForm(FlaskForm):
    """Another password."""

    password = PasswordField(_l("Password now"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST)])
    new_password, new_password_confirm = new_password_fields("new_password", _l("New password"))


@bp.route("/account/email", methods=["GET", "POST"])
@login_required
@limiter.limit("5 per minute; 20 per hour", methods=["POST"])  # each mails somebody
def change_address() -> Response | tuple[str, int]:
    """Ask for a mail to the new address; until the link in it is used, the old one stays."""
    form = AddressForm()
    if form.validate_on_submit():
        try:
            credentials.ask_to_change_address(current_user, text_of(form.password), text_of(form.email), now())
        except DomainError as error:
            show_error(error, form)
        else:
            flash(_("We sent a link to the new address. Open it there within a day; until then the old one stays."))
            return redirect(url_for("account.change_address"), 303)
    return render_template("account/email.html", form=form), 422 if form.errors else 200


@bp.get("/account/email/<token>")
def confirm_change(token: str) -> str:
    """Show one button: mail scanners follow links, and must not change anything by it."""
    return render_template("account/confirm_address.html", token=token)


@bp.post("/account/email/<token>")
@limiter.limit(FORM_LIMIT)
def take_new_address(token: str) -> Response | tuple[str, int]:
    """Take over the address that the token was sent to."""
    try:
        first = credentials.change_address(token, now())
    except DomainError as error:
        problem = say(error)
        return render_template("account/confirm_address.html", token=None, problem=problem), 400
    flash(_("Your new address is set and confirmed.") if first else _("This address was set before. All is well."))
    return redirect(url_for("account.change_address"), 303)


@bp.route("/account/password", methods=["GET", "POST"])
@login_required
@limiter.limit(FORM_LIMIT, methods=["POST"])
def change_password() -> Response | tuple[str, int]:
    """Set another password; every other browser is signed out."""
    form = PasswordForm()
    if form.validate_on_submit():
        try:
            credentials.change_password(current_user, text_of(form.password), text_of(form.new_password), now())
        except DomainError as error:
            show_error(error, form)
        else:
            flash(_("Your new password is set, and you are signed out everywhere else."))
            return redirect(url_for("account.change_password"), 303)
    return render_template("account/password.html", form=form), 422 if form.errors else 200


@bp.route("/account/confirm", methods=["GET", "POST"])
@login_required
@limiter.limit(FORM_LIMIT, methods=["POST"])
def confirm_password() -> Response | tuple[str, int]:
    """Ask for the password again, before something that an unlocked screen must not be enough for."""
    form = ConfirmForm()
    if form.validate_on_submit():
        try:
            credentials.confirm_password(current_user, text_of(form.password), now())
        except DomainError as error:
            show_error(error, form)
        else:
            outcome.note(_("Your password was right."))
            return redirect(local_path(request.args.get("next", "")), 303)
    provider = current_app.config["SETTINGS"].oidc_domain
    return render_template("account/confirm_password.html", form=form, provider=provider), 422 if form.errors else 200


@bp.get("/account/sessions")
@login_required
def show_sessions() -> str:
    """Show where the member is signed in."""
    found = sign_ins.of_member(current_user.id)
    return render_template("account/sessions.html", sign_ins=found, shown=sign_ins.SHOWN)


@bp.post("/account/sessions/<row(bits=63):sign_in_id>/end")
@login_required
def end_session(sign_in_id: int) -> Response:
    """Sign out in one browser."""
    sign_ins.end_one(current_user.id, sign_in_id)
    flash(_("Signed out there."))
    return redirect(url_for("account.show_sessions"), 303)


@bp.post("/account/sessions/end-others")
@login_required
def end_other_sessions() -> Response:
    """Sign out everywhere but here."""
    sign_ins.end_others(current_user.id, current_user.sign_in.id)
    flash(_("You are signed out everywhere else."))
    return redirect(url_for("account.show_sessions"), 303)
