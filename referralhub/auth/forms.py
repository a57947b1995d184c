"""Shapes of what visitors type. Whether it is true is for the services."""

import re

from email_validator import EmailNotValidError, validate_email
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, Field, PasswordField, StringField
from wtforms.validators import (
    EqualTo,
    InputRequired,
    Length,
    Optional,
    Regexp,
    ValidationError,
)

from referralhub.services.passwords import LONGEST, SHORTEST

USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


def strip(value: str | None) -> str | None:
    """Take off the spaces that phones and pasting add."""
    return value.strip() if value else value


def email_address(form: FlaskForm, field: Field) -> None:
    """Refuse what cannot be a mail address, and keep it in its normal form."""
    try:
        result = validate_email(
            field.data, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False
        )
    except EmailNotValidError:
        raise ValidationError("This doesn't look like an e-mail address, such as bo@example.com.") from None
    if "." not in result.ascii_domain:
        raise ValidationError("The part after the @ needs a dot, such as example.com.")
    field.data = f"{result.ascii_local_part}@{result.ascii_domain}"


def no_control_characters(form: FlaskForm, field: Field) -> None:
    """Refuse what no keyboard types and no database stores."""
    if any(ord(character) < 32 or ord(character) == 127 for character in field.data or ""):
        raise ValidationError("This contains an invisible control character. Please type it instead of pasting.")


class SignupForm(FlaskForm):
    """A new account."""

    username = StringField(
        "User name",
        [
            InputRequired("Choose a user name."),
            Length(3, 30, "Use 3 to 30 characters."),
            Regexp(USERNAME, message="Use letters a–z, digits, and . _ - in between."),
        ],
        filters=[strip],
    )
    email = EmailField(
        "E-mail",
        [
            InputRequired("Enter your e-mail address."),
            Length(max=254, message="This is too long."),
            email_address,
        ],
        filters=[strip],
    )
    password = PasswordField(
        "Password",
        [
            InputRequired("Choose a password."),
            Length(SHORTEST, LONGEST, f"Use {SHORTEST} to {LONGEST} characters."),
            no_control_characters,
        ],
    )
    password_confirm = PasswordField(
        "Password again",
        [
            InputRequired("Type the password once more."),
            EqualTo("password", "The two passwords are not the same."),
        ],
    )
    referral_code = StringField(
        "Referral code",
        [Optional(), Regexp(r"[A-Za-z0-9]{8,12}\Z", message="A code is 8 to 12 letters and digits.")],
        filters=[strip],
    )


class LoginForm(FlaskForm):
    """Signing in."""

    username = StringField(
        "User name or e-mail",
        [InputRequired("Enter your user name or e-mail address."), Length(max=254), no_control_characters],
        filters=[strip],
    )
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=LONGEST)])
    remember = BooleanField("Keep me signed in on this device")
