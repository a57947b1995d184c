"""What visitors fill in."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length, Optional

from referralhub.forms import (
    account_name,
    code_field,
    code_shape,
    email_field,
    new_password_fields,
    no_control_characters,
    pasted_code,
    strip,
    username_field,
)
from referralhub.services.accounts.passwords import LONGEST


class SignupForm(FlaskForm):
    """A new account."""

    username = username_field()
    email = email_field()
    password, password_confirm = new_password_fields("password")
    referral_code = StringField(
        _l("Referral code"),
        [Optional(), code_shape],
        filters=[pasted_code],
    )

    # People do not see it; programs fill it in, and password managers know no such field.
    topic = StringField(_l("Topic"))
    visit = HiddenField()  # the link that led here, while Redis could not keep it


class LoginForm(FlaskForm):
    """Signing in."""

    username = StringField(
        _l("User name or e-mail"),
        [InputRequired(_l("Enter your user name or e-mail address.")), Length(max=254), no_control_characters],
        filters=[strip, account_name],
    )
    password = PasswordField(_l("Password"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST)])
    remember = BooleanField(_l("Keep me signed in on this device"))


class CodeForm(FlaskForm):
    """The code that an account asks for after its password."""

    code = code_field()


class ForgotForm(FlaskForm):
    """Whose password was forgotten."""

    email = email_field(_l("Your e-mail"))


class ResetForm(FlaskForm):
    """A new password instead of a forgotten one."""

    password, password_confirm = new_password_fields("password", _l("New password"))
