"""Shapes of what people type, in any form. Whether it is true is for the services."""

import logging
import re
from collections.abc import Iterable
from datetime import date

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length, Regexp, ValidationError
from wtforms.widgets import DateInput

from referralhub.services.accounts.passwords import LONGEST, SHORTEST
from referralhub.services.mailing import addresses
from referralhub.services.shared import codes
from referralhub.services.shared.errors import BadAddress, BadSetting, DomainError
from referralhub.services.shared.names import check_line, check_name
from referralhub.words.errors import by_field, say

log = logging.getLogger(__name__)

code_shape = Regexp(
    rf"{codes.SHAPE}\Z",
    message=_l(
        "A code is %(least)s to %(most)s letters, digits and single hyphens.",
        least=codes.SHORTEST,
        most=codes.LONGEST,
    ),
)
USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")


def text_of(field: Field) -> str:
    """Return what was typed into a field; nothing typed is empty."""
    typed: str | None = field.data
    return typed or ""


def strip(value: str | None) -> str | None:
    """Take off the spaces that phones and pasting add."""
    return value.strip() if value else value


def one_sign_a_line(value: str | None) -> str | None:
    """Count the end of a line as one character, as the browser does that then sends two."""
    return value and value.replace("\r\n", "\n")


def normal_address(text: str) -> str:
    """Return a mail address in its normal form. Raises ValueError, with words for the person who typed it."""
    try:
        return addresses.normal(text)
    except BadAddress as error:
        raise ValueError(say(error)) from None


def account_name(text: str | None) -> str | None:
    """Return a user name or an address as the account has it: an address in its normal form, if it is one."""
    if not text or "@" not in text:
        return text
    try:
        return normal_address(text)
    except ValueError:
        return text


def pasted_code(text: str | None) -> str | None:
    """Return the code in what was pasted."""
    return text and codes.pasted(text.strip())


def email_address(form: FlaskForm, field: Field) -> None:
    """Refuse what cannot be a mail address, and keep it in its normal form."""
    try:
        field.data = normal_address(text_of(field))
    except ValueError as error:
        raise ValidationError(str(error)) from None


def no_control_characters(form: FlaskForm, field: Field) -> None:
    """Refuse what no keyboard types and no database stores."""
    if has_control_characters(text_of(field)):
        raise ValidationError(_("This contains an invisible control character. Please type it instead of pasting."))


def no_control_characters_in_lines(form: FlaskForm, field: Field) -> None:
    """Refuse them but for the ends of lines."""
    if has_control_characters(text_of(field), allowed="\r\n\t"):
        raise ValidationError(_("This contains an invisible control character. Please type it instead of pasting."))


def visible_name(form: FlaskForm, field: Field) -> None:
    """Refuse a name that shows as nothing, turns the line around, or piles up marks."""
    try:
        check_name(text_of(field) or "x")  # none is chosen: the user name is shown
    except DomainError as error:
        raise ValidationError(say(error)) from None


def line_for_strangers(form: FlaskForm, field: Field) -> None:
    """Refuse a line with something in it that is not seen, or an address that strangers would be led to."""
    if field.errors:  # it is longer than a line, and who knows how long
        return
    try:
        check_line(text_of(field))
    except DomainError as error:
        raise ValidationError(say(error)) from None


def has_control_characters(text: str, allowed: Iterable[str] = ()) -> bool:
    """Whether there is anything in a text that no keyboard types."""
    return any((ord(character) < 32 or ord(character) == 127) and character not in allowed for character in text)


def username_field() -> StringField:
    """A name for an account."""
    return StringField(
        _l("User name"),
        [
            InputRequired(_l("Choose a user name.")),
            Length(3, 30, _l("Use 3 to 30 characters.")),
            Regexp(USERNAME, message=_l("Use letters a–z, digits, and . _ - in between.")),
        ],
        filters=[strip],
    )


def email_field(label: str = _l("E-mail")) -> EmailField:
    """An address that gets mail."""
    return EmailField(
        label,
        [
            InputRequired(_l("Enter your e-mail address.")),
            Length(max=254, message=_l("This is too long.")),
            email_address,
        ],
        filters=[strip],
    )


def new_password_fields(first: str, label: str = _l("Password")) -> tuple[PasswordField, PasswordField]:
    """A password to be set, typed twice; `first` is the name of the first field."""
    return (
        PasswordField(
            label,
            [
                InputRequired(_l("Choose a password.")),
                Length(SHORTEST, LONGEST, _l("Use %(least)s to %(most)s characters.", least=SHORTEST, most=LONGEST)),
                no_control_characters,
            ],
        ),
        PasswordField(
            _l("%(label)s again", label=label),
            [
                InputRequired(_l("Type the password once more.")),
                EqualTo(first, _l("The two passwords are not the same.")),
            ],
        ),
    )


def own_password_field() -> PasswordField:
    """The member's own password, asked for again before something important."""
    return PasswordField(_l("Your password"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST)])


def code_field() -> StringField:
    """A code from the member's app, or a recovery code."""
    return StringField(
        _l("Code"), [InputRequired(_l("Enter a code.")), Length(max=40), no_control_characters], filters=[strip]
    )


def own_words_field(label: str, most: int, required: str = "") -> TextAreaField:
    """Some lines in somebody's own words; `required` says what is missing where they are."""
    length = Length(max=most, message=_l("Use at most %(most)s characters.", most=most))
    needed = [DataRequired(required)] if required else []
    return TextAreaField(label, [*needed, length, no_control_characters_in_lines], [strip, one_sign_a_line])


def day_field(label: str) -> StringField:
    """A day, which `day_in` reads."""
    return StringField(label, [InputRequired(_l("Enter a day."))], [strip], widget=DateInput())


def day_in(text: str) -> date:
    """Return the day that a browser sends, or that somebody typed so. Raises ValidationError."""
    try:
        found = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValidationError(_("Use a date such as 2026-01-31."))
    return found


def show_error(error: DomainError, form: FlaskForm) -> None:
    """Put what a service refused at the fields it is about, or on top, and log that it did, as for a wrong password."""
    log.warning("What a form asked for was refused: %s", error.code)
    if isinstance(error, BadSetting) and error.key in form:  # the field has a name already
        problem = by_field(error)[error.key]
        form[error.key].errors = [*form[error.key].errors, f"{problem[:1].upper()}{problem[1:]}."]
        return
    if isinstance(error, BadSetting):
        form.form_errors.append(say(error))
        return
    for name, message in by_field(error).items():
        if name in form:
            form[name].errors = [*form[name].errors, message]
        else:
            form.form_errors.append(message)
