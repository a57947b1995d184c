"""The second step of signing in: setting up an app, recovery codes, and switching it off."""

import segno
from flask import current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.wrappers import Response

from referralhub import outcome
from referralhub.account.views import bp
from referralhub.branding.shown import brand
from referralhub.clock import now
from referralhub.extensions import limiter
from referralhub.forms import code_field, own_password_field, show_error, text_of
from referralhub.services.accounts import totp, two_factor
from referralhub.services.shared.errors import AlreadyDone, DomainError
from referralhub.sessions import contents

FORM_LIMIT = "10 per minute; 60 per hour"  # each asks for a password


class CodeAndPasswordForm(FlaskForm):
    """A code that the member's app shows, and the password."""

    code = code_field()
    password = own_password_field()


class NewCodesForm(FlaskForm):
    """The password, for new recovery codes."""

    password = own_password_field()


@bp.get("/account/two-factor")
@login_required
def show_two_factor() -> tuple[str, int]:
    """Offer to set it up, or to make new recovery codes and to switch it off."""
    return _show()


@bp.post("/account/two-factor")
@login_required
@limiter.limit(FORM_LIMIT)
def switch_on() -> Response | tuple[str, int]:
    """Ask for a code from now on, and show the recovery codes this once."""
    form, sealed = CodeAndPasswordForm(), contents.new_secret()
    if current_user.has_two_factor:
        return _back(_("Your account asks for a code already. Make new recovery codes if you have not kept yours."))
    if sealed and form.validate_on_submit():
        try:
            codes = two_factor.switch_on(
                current_user, text_of(form.password), sealed, text_of(form.code), _key(), now()
            )
        except AlreadyDone:
            return _back(_("Your account asks for a code already."))
        except DomainError as error:
            show_error(error, form)
        else:
            contents.keep_new_secret(None)
            return _show_codes(codes, _("You are asked for a code after your password from now on."))
    return _show(on=form)


@bp.post("/account/two-factor/codes")
@login_required
@limiter.limit(FORM_LIMIT)
def renew_codes() -> Response | tuple[str, int]:
    """Show new recovery codes; those of before work no more."""
    form = NewCodesForm(prefix="codes-")
    if not current_user.has_two_factor:
        return _back(_("Your account asks for no code."))
    if form.validate_on_submit():
        try:
            codes = two_factor.renew_codes(current_user, text_of(form.password), now())
        except DomainError as error:
            show_error(error, form)
        else:
            return _show_codes(codes, _("The recovery codes of before work no more."))
    return _show(codes=form)


@bp.post("/account/two-factor/off")
@login_required
@limiter.limit(FORM_LIMIT)
@limiter.limit(
    "5 per minute; 20 per hour",
    key_func=lambda: str(current_user.id),
    deduct_when=lambda response: response.status_code == 422,  # codes must not be guessed here either
)
def switch_off() -> Response | tuple[str, int]:
    """Let the password be enough again, after the password and a code."""
    form = CodeAndPasswordForm()
    if not current_user.has_two_factor:
        return _back(_("Your account asks for no code."))
    if form.validate_on_submit():
        try:
            two_factor.switch_off(current_user, text_of(form.password), text_of(form.code), _key(), now())
        except DomainError as error:
            show_error(error, form)
        else:
            return _back(_("Your password is enough from now on."))
    return _show(off=form)


def _show(**sent: FlaskForm) -> tuple[str, int]:
    """Show the page as the account is, with the form that was sent and is not filled in well."""
    status = 422 if sent else 200
    if current_user.has_two_factor:
        forms = {"codes": NewCodesForm(prefix="codes-"), "off": CodeAndPasswordForm()} | sent
        left = two_factor.codes_left(current_user.id)
        return render_template("account/two_factor_on.html", forms=forms, left=left), status
    sealed, secret = two_factor.offer(contents.new_secret(), _key())
    contents.keep_new_secret(sealed)
    form = sent.get("on") or CodeAndPasswordForm()
    account = current_user.email if current_user.has_made_up_name else current_user.username
    picture = _picture(totp.address(secret, account, brand.name))
    required = current_user.is_admin and current_app.config["SETTINGS"].require_admin_two_factor
    page = "account/two_factor_off.html"
    return render_template(page, form=form, secret=secret, picture=picture, required=required), status


def _picture(address: str) -> Markup:
    svg = segno.make(address, error="m").svg_inline(scale=5, border=4, light="#fff", svgclass="qr", lineclass=None)
    return Markup(svg)  # noqa: S704 - of the library's own making; the address is only in the squares


def _show_codes(codes: list[str], words: str) -> tuple[str, int]:
    outcome.note(words)
    return render_template("account/recovery_codes.html", codes=codes, words=words), 200


def _back(words: str) -> Response:
    flash(words)
    return redirect(url_for("account.show_two_factor"), 303)


def _key() -> str:
    key: str = current_app.config["SECRET_KEY"]
    return key
